"""Explain what is wrong with a value or a key in the words of the configuration's author."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticCustomError

from pipeline.config.yaml_document import ValuePath

LONGEST_S = 1e9  # 30 years
# Names of other programs, or of the thing itself, that are too far from ours to look alike.
OTHER_NAMES = {
    "login": ("username",),
    "pwd": ("password",),
    "passwd": ("password",),
    "pass": ("password",),
    "secret": ("password", "secret_file"),
    "host": ("url",),
    "server": ("url", "host"),
    "broker": ("host",),
    "address": ("url", "host"),
    "uri": ("url",),
    "source": ("url",),
    "rtsp": ("url",),
    "fps": ("detect_fps",),
    "model": ("weights",),
    "file": ("weights",),
    "threshold": ("confidence", "start_threshold"),
    "conf": ("confidence",),
    "imgsz": ("image_size",),
    "lr": ("learning_rate",),
    "class": ("person_class",),
    "classes": ("person_class",),
    "labels": ("per_action",),
}
# The key that a text in the place of its section was meant for.
MAIN_KEYS = ("url", "host", "weights", "name", "start_threshold")
# What redis-py takes as arguments is a part of the URL here.
PARTS_OF_URL = ("host", "port", "db", "username", "user", "password", "sentinels", "ssl", "tls")

# What a pattern of the sections demands.
PATTERNS = {
    r"^[\w.-]+$": "should be of letters, digits, `_`, `.` and `-`",
    r"^(auto|cpu|cuda(:\d+)?)$": "should be auto, cpu or cuda:N",
    r"^[^{}]*$": "should have no braces",
    r"^[^/@\s]+$": "should be a name or an address alone",
    r"^([01]\d|2[0-3]):[0-5]\d$": "should be a time of day, like 22:00",
    r"^[\w-]+(/[\w-]+)*$": "should be of letters, digits, `_` and `-`, in levels separated by /",
    r"^https?://": "should be an address that begins with http:// or https://",
    r"^[0-9a-fA-F]{64}$": "should be 64 hexadecimal digits, as sha256sum prints them",
}


def refuse_other_kind(annotation: Any, value: Any) -> Any:
    """Check what pydantic would quietly convert; return the value.

    A boolean is no number and a number no boolean, and neither is a text. A section without keys,
    as it is left when they are commented out, is an empty one.

    Args:
        annotation: of the key's field.
        value: as it was written.

    Raises:
        PydanticCustomError: if the value is of another kind.
    """
    kinds = set(_kinds(annotation))
    if value is None and type(None) not in kinds and (dict in kinds or _section(annotation)):
        return {}
    for one in value if isinstance(value, list) else [value]:
        _refuse_kind(kinds, one)
    return value


def refuse_too_long(name: str, value: Any) -> Any:
    """Refuse a time with which the system's clocks would overflow; return the value.

    Args:
        name: of the key; it ends in its unit.
        value: of its type.

    Raises:
        PydanticCustomError: if it is longer than 30 years.
    """
    if name.endswith("_s") and isinstance(value, int | float) and value > LONGEST_S:
        raise PydanticCustomError("too_late", "should be at most 1e9 (seconds)")
    return value


def _refuse_kind(kinds: set[Any], value: Any) -> None:
    numbers, texts = kinds & {int, float}, kinds & {str, SecretStr, Path}
    if isinstance(value, bool):
        if bool not in kinds and (numbers or texts):
            raise PydanticCustomError(
                "no_boolean",
                "should be a number" if numbers else "should be a text; put it in quotes",
            )
    elif isinstance(value, float) and numbers == {int}:
        raise PydanticCustomError("no_integer", "should be a whole number")
    elif isinstance(value, int | float) and not numbers:
        if bool in kinds:
            raise PydanticCustomError("no_number", "should be true or false")
        if texts:
            raise PydanticCustomError("no_text", "should be a text; put it in quotes")


def _kinds(annotation: Any) -> Iterator[Any]:
    """Yield the plain types that a value may have, those of items included."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin is Literal:
        yield from {type(value) for value in get_args(annotation)}
    elif origin in (dict, Mapping):
        yield dict
    elif origin is None:
        yield annotation
    else:
        for argument in get_args(annotation):
            yield from _kinds(argument)


def section_at(model: type[BaseModel], path: ValuePath) -> type[BaseModel] | None:
    """Return the section that a path leads to; None if there is a value or nothing."""
    current: Any = model
    for step in path:
        section = _section(current)
        if section is not None:
            field = section.model_fields.get(str(step))
            current = None if field is None else field.annotation
        else:
            current = (get_args(_without_null(current)) or (None,))[-1]
    return _section(current)


def _section(annotation: Any) -> type[BaseModel] | None:
    plain = _without_null(annotation)
    return plain if isinstance(plain, type) and issubclass(plain, BaseModel) else None


def _without_null(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _without_null(get_args(annotation)[0])
    if get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [one for one in get_args(annotation) if one is not type(None)]
        return _without_null(inner[0])
    return annotation


def suggestion(model: type[BaseModel], path: ValuePath) -> str | None:
    """Return what was probably meant by an unknown key; None if nothing is near.

    Args:
        model: of the whole configuration.
        path: of the key.
    """
    *above, last = path
    key = str(last).lower().replace("-", "_")
    section = section_at(model, tuple(above))
    known = list(section.model_fields) if section else []
    if above == ["redis"] and key in PARTS_OF_URL:
        return "it belongs into redis.url: redis://username:password@host:port/db"
    everywhere = list(_paths(model))
    elsewhere = [one for one in everywhere if one.rpartition(".")[2] == key]
    others = [name for name in OTHER_NAMES.get(key, ()) if name in known]
    if near := others or get_close_matches(key, known, 1, 0.75):
        meant = [".".join(map(str, [*above, near[0]]))]
    elif elsewhere:
        meant = elsewhere[:2]
    elif near := get_close_matches(key, known, 1, 0.6):
        meant = [".".join(map(str, [*above, near[0]]))]
    else:  # its section may be another one, too
        nearest = get_close_matches(key, [one.rpartition(".")[2] for one in everywhere], 1, 0.8)
        meant = [one for one in everywhere if one.rpartition(".")[2] in nearest][:2]
    return f"did you mean {' or '.join(meant)}?" if meant else None


def _paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        if section := _section(field.annotation):
            yield from _paths(section, f"{prefix}{name}.")


def worded(kind: str, message: str, context: Mapping[str, Any]) -> str:
    """Turn a message of pydantic about an input into one about a value.

    Args:
        kind: of the error.
        message: as pydantic has it.
        context: its values.
    """
    if kind in ("model_type", "model_attributes_type"):
        return "should be a section with keys"
    if kind == "dict_type":
        return "should be a section of names, each with its keys"
    if kind in ("tuple_type", "list_type"):
        return "should be a list, e.g. [a, b]"
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(context["pattern"], f"should match {context['pattern']}")
    if kind == "string_type":
        return "should be a text"
    if kind == "too_long":
        return f"should have {context['max_length']} items at most"
    if kind == "path_type":
        return "should be a path"
    message = message.removeprefix("Value error, ")
    return re.sub(r"^(Input|String) should ", "should ", message)


def example_of(section: type[BaseModel] | None) -> str:
    """Return how a text would stand in a section, with a comma before; nothing if it would not."""
    keys = [key for key in MAIN_KEYS if section and key in section.model_fields]
    return f", e.g. {{{keys[0]}: ...}}" if keys else ""
