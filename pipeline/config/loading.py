"""From YAML files and single settings to a checked configuration; errors name the key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from pipeline.config.section import Section
from pipeline.errors import ConfigError
from pipeline.redaction import mask_url

SectionKind = TypeVar("SectionKind", bound=Section)


def load_sections(
    kind: type[SectionKind],
    defaults: Mapping[str, Any],
    override: Path | None,
    settings: Sequence[str],
    listed_in: str,
) -> SectionKind:
    """Merge the defaults, the user's file and single settings, and check the result.

    Args:
        kind: of the model.
        defaults: every key.
        override: YAML file with what differs, or None.
        settings: `section.key=value` texts.
        listed_in: file that lists all keys, for messages.

    Raises:
        ConfigError: naming the key, what was given and what was expected.
    """
    merged = dict(defaults)
    if override is not None:
        merged = _merge(merged, read_yaml(override))
    for setting in settings:
        merged = _merge(merged, _parse_setting(setting))
    try:
        return kind.model_validate(merged)
    except ValidationError as error:
        lines = (_explain(dict(item), listed_in) for item in error.errors())
        raise ConfigError("\n".join(lines)) from error


def parse_value(text: str) -> Any:
    """A value as it would stand in a YAML file.

    Raises:
        ConfigError: if it is no YAML.
    """
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{text}: the value is not valid YAML") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """The sections of a file.

    Raises:
        ConfigError: if it cannot be read or has no sections.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the configuration ({error.strerror})") from error
    except UnicodeDecodeError:  # not chained, and nothing quoted: there may be a password near
        raise ConfigError(f"{path}: no UTF-8 text") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML{_where(error)}") from None
    except (ValueError, RecursionError) as error:  # of a date that is none, of deep nesting
        raise ConfigError(f"{path}: not valid YAML ({type(error).__name__})") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected sections with keys, found {type(content).__name__}")
    return content


def _where(error: yaml.YAMLError) -> str:
    """Line, column and problem, without the line itself."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    at = "" if mark is None else f" in line {mark.line + 1}, column {mark.column + 1}"
    return f"{at}: {problem}" if problem else at


def _parse_setting(setting: str) -> dict[str, Any]:
    key, equals, text = setting.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {setting}: expected KEY=VALUE, e.g. detector.confidence=0.5")
    try:
        value: Any = parse_value(text)
    except ConfigError as error:
        raise ConfigError(f"--set {setting}: the value is not valid YAML") from error
    for part in reversed(key.strip().split(".")):
        value = {part: value}
    assert isinstance(value, dict)
    return value


def _merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        both_sections = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(old, value) if both_sections else value  # type: ignore[arg-type]
    return merged


def _explain(error: dict[str, Any], listed_in: str) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "configuration"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key ({listed_in} lists all keys)"
    if error["type"] == "missing":
        return f"{key}: missing"
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"][1:] or isinstance(error["input"], Mapping):
        return f"{key}: {message}"  # a section as a whole has credentials in it
    if error["loc"][0] in ("cameras", "redis", "bridges"):
        return f"{key}: {message}"  # what was given may be a password in the wrong place
    return f"{key}: {message}, got {mask_url(repr(error['input']))}"


def yaml_text(values: Mapping[str, Any]) -> str:
    """Sections as a file that `read_yaml` reads, in their order."""
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
