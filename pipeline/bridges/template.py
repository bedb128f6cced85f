"""Templates that users write, such as `{what} at {camera}`: names of fields, and nothing to run."""

from __future__ import annotations

from collections.abc import Collection
from string import Formatter


def literals_of(template: str, fields: Collection[str], *, what: str, example: str) -> list[str]:
    """Check the fields of a template, and return the texts between them.

    A field is a bare name: an attribute, an index, a conversion or a format would run code of the
    value, or read what was not meant to be read.

    Args:
        template: in the syntax of `str.format`.
        fields: the names that it may use.
        what: the thing it is a template of, with its article.
        example: of such a template.

    Raises:
        ValueError: if the template is none, or uses something else; the message names the mistake.
    """
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{what} is like {example}: {error}") from None
    for _, name, format_spec, conversion in parts:
        if name is not None and (name not in fields or format_spec or conversion):
            raise ValueError(f"the fields of {what} are {', '.join(fields)}")
    return [literal for literal, *_ in parts]
