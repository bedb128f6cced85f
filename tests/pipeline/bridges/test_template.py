"""A template has bare names of fields: what could run code of a value is refused."""

from __future__ import annotations

import pytest

from pipeline.bridges.template import literals_of


def literals(template: str) -> list[str]:
    return literals_of(template, ("what", "camera"), what="a text", example="{what} at {camera}")


def test_the_texts_between_the_fields_are_returned_with_braces_unescaped() -> None:
    assert literals("{what} at {camera}!") == ["", " at ", "!"]
    assert literals("{{no field}}") == ["{", "no field}"]


@pytest.mark.parametrize(
    "template",
    ["{who}", "{}", "{0}", "{what.__class__}", "{what[0]}", "{what!r}", "{what:>9999}"],
)
def test_a_field_that_is_no_bare_name_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="the fields of a text are what, camera"):
        literals(template)


def test_what_is_no_template_is_refused_with_an_example() -> None:
    with pytest.raises(ValueError, match=r"a text is like \{what\} at \{camera\}: "):
        literals("{what")
