"""YAML as people mean it, and as PyYAML writes it."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config.yaml_document import YamlError, parse_yaml, yaml_text, yaml_value


@pytest.mark.parametrize(
    "text", ["on", "Off", "yes", "NO", "y", "0123", "12:30", "1:2:3.5", "0o17"]
)
def test_words_and_figures_that_are_no_plain_number_are_text(text: str) -> None:
    assert parse_yaml(f"key: {text}").content == {"key": text}


@pytest.mark.parametrize("text", ["2026-11-25", "2026-11-25 12:00:00", "=", "0x_", "1_000", "1e5"])
def test_dates_and_odd_forms_are_text(text: str) -> None:
    assert parse_yaml(f"key: {text}").content == {"key": text}


def test_numbers_booleans_and_null_are_themselves() -> None:
    text = "[5, -7, +3, 0, 0x1F, 1.5, -0.5, .5, 2., 1.5e-3, true, False, null, ~, .inf]"
    assert parse_yaml(text).content == [
        5, -7, 3, 0, 31, 1.5, -0.5, 0.5, 2.0, 0.0015, True, False, None, None, math.inf,
    ]  # fmt: skip


def test_keys_are_names() -> None:
    content = parse_yaml("1: a\nno: b\n~: c\n2026-11-25: d\n1.50: e").content
    assert content == {"1": "a", "no": "b", "~": "c", "2026-11-25": "d", "1.50": "e"}


def test_a_merged_section_may_change_what_it_takes() -> None:
    text = "near: &near {a: 1, b: 2}\nfar: {<<: *near, b: 3}\nfarther: {b: 4, <<: *near}"
    assert parse_yaml(text).content["far"] == {"a": 1, "b": 3}
    assert parse_yaml(text).content["farther"] == {"a": 1, "b": 4}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", "a is given twice, in lines 1 and 3"),
        ("a: 1\n'a': 2", "a is given twice, in lines 1 and 2"),
        ('1: x\n"1": y', "1 is given twice, in lines 1 and 2"),
        ("{a: 1, a: 1}", "a is given twice, in lines 1 and 1"),
        ("s:\n- {a: 1}\n- {b: 1, b: 2}", "s.1.b is given twice, in lines 3 and 3"),
        ("s:\n  t: {u: {a: 1}}\n  t: {u: {a: 1}}", "s.t is given twice, in lines 2 and 3"),
        ("a: 1\na: 2\na: 3", "a is given twice, in lines 1 and 2"),
        ("rtsp://u:hunter2@h/x: 1\nrtsp://u:hunter2@h/x: 2", "rtsp://***@h/x is given twice"),
        ("a: 1\n? [b, c]\n: 2", "line 2: a key is a name"),
        ("a: [1", "not valid YAML in line 1, column 6: expected"),
        ("a: 1\n\tb: 2", "not valid YAML in line 2, column 1"),
        ("a: 1\n---\nb: 2", "not valid YAML in line 2, column 1: but found another document"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        (
            "password: *hunter2",
            "undefined alias; write a text that starts with * & or ! in quotes",
        ),
        ("password: !hunter2 x", "for the tag; write a text"),
        ("password: !hunter2!x y", "tag handle; write a text"),
        ("a: &hunter2 1\nb: &hunter2 2", "second occurrence"),
        ("a: *b", "not valid YAML in line 1, column 4"),
        ("[" * 1500, "RecursionError"),
    ],
)
def test_what_is_wrong_has_its_lines_and_no_values(text: str, expected: str) -> None:
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    assert str(caught.value).startswith(expected) or expected in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_every_value_has_its_line_and_what_is_missing_that_of_its_section() -> None:
    document = parse_yaml("a:\n  b: 1\n  c:\n  - x\n  - {d: 2}\n")
    assert document.line_of(("a", "b")) == 2
    assert document.line_of(("a", "c", 1, "d")) == 5
    assert document.line_of(("a", "missing")) == 1
    assert document.line_of(("other",)) is None


def test_a_section_that_holds_itself_and_aliases_without_end_are_refused() -> None:
    with pytest.raises(YamlError, match="line 1: an alias is a part of itself"):
        parse_yaml("a: &a {b: *a}")
    levels = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    with pytest.raises(YamlError, match="aliases repeat each other"):
        parse_yaml("\n".join(levels))
    assert parse_yaml("\n".join(levels[:5])).content["a2"][0][1] == ["x", "x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password: *hunter2", "found undefined alias; write a text that starts with"),
        ("password: !hunter2 x", "constructor for the tag; write a text that starts with"),
        ("password: !hunter2!x y", "found undefined tag handle; write a text that starts with"),
        (
            "a: {b: ${NAME}}",
            r"but got '\{'; inside of \{ \} and \[ \] write \"\$\{NAME\}\" in quotes",
        ),
        ("\ta: b", r"found character '\\t' that cannot start any token$"),
    ],
)
def test_a_text_that_wants_quotes_is_answered_with_them(text: str, expected: str) -> None:
    with pytest.raises(YamlError, match=expected) as caught:
        parse_yaml(text)
    assert "hunter2" not in str(caught.value)


# PyYAML itself writes some line ends of Unicode so that they are read as blanks.
TEXT = st.text(
    st.characters(exclude_characters="\x85\u2028\u2029\ufeff", exclude_categories=["Cs"])
)


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
))  # fmt: skip
def test_what_is_written_is_read_back(value: object) -> None:
    assert parse_yaml(yaml_text({"key": value})).content == {"key": value}
    assert parse_yaml(f"key: {yaml_value(value)}").content == {"key": value}
