"""From YAML files and single settings to a checked configuration; errors name the key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, PrivateAttr, ValidationError

from pipeline.config.environment import is_reference, resolve_environment
from pipeline.errors import ConfigError
from pipeline.paths import expand_user
from pipeline.redaction import MASK, mask_source, mask_url

# Sections whose values may be passwords, or a password in the wrong place.
SECRET_SECTIONS = ("cameras", "redis", "bridges")


# A path of the user; `~` is the home directory. The second is for a key that may also be a name.
UserPath = Annotated[Path, AfterValidator(lambda path: Path(expand_user(str(path))))]
UserPathOrName = Annotated[str, AfterValidator(expand_user)]

SectionKind = TypeVar("SectionKind", bound="Section")


class Section(BaseModel):
    """A section of the configuration: immutable; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # What was written where the value is that of an environment variable.
    _written: dict[tuple[str | int, ...], str] = PrivateAttr(default_factory=dict)

    def loggable_json(self) -> str:
        """Return the values without credentials, and without those of environment variables."""
        values = self.model_dump(mode="json")
        for path, text in self._written.items():
            inner: Any = values
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = _shown(path, text)
        return mask_url(json.dumps(values, ensure_ascii=False))


def load_sections(
    kind: type[SectionKind], override: Path | None, settings: Sequence[str], listed_in: str
) -> SectionKind:
    """Apply the user's file and single settings to the defaults, and check the result.

    `${NAME}` in a value is replaced by the environment variable NAME.

    Args:
        kind: model whose fields have the defaults.
        override: YAML file with what differs, or None.
        settings: `section.key=value` texts.
        listed_in: file that lists all keys, for messages.

    Raises:
        ConfigError: naming the key, what was given and what was expected.
    """
    merged = {} if override is None else read_yaml(override)
    for setting in settings:
        merged = _merge(merged, _parse_setting(setting))
    merged, written = resolve_environment(merged)
    try:
        loaded = kind.model_validate(merged)
    except ValidationError as error:
        lines = (_explain(dict(item), listed_in, written) for item in error.errors())
        raise ConfigError("\n".join(lines)) from None  # the cause quotes values
    loaded._written.update(written)
    return loaded


def parse_value(text: str) -> Any:
    """Parse a value as in a YAML file.

    Raises:
        ConfigError: if it is not valid YAML.
    """
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{text}: the value is not valid YAML") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the sections of a file.

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


def _explain(
    error: dict[str, Any], listed_in: str, written: Mapping[tuple[str | int, ...], str]
) -> str:
    path: tuple[str | int, ...] = tuple(error["loc"])
    key = ".".join(str(part) for part in path) or "configuration"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key ({listed_in} lists all keys)"
    if error["type"] == "missing":
        return f"{key}: missing"
    message = error["msg"].removeprefix("Value error, ")
    variables = [text for place, text in written.items() if place[: len(path)] == path]
    if variables:  # a message of our own may quote the value, which must not be shown
        reason = "not a valid value" if error["type"] == "value_error" else message
        return f"{key}: {reason}, got {', '.join(_shown(path, text) for text in variables)}"
    if not path[1:] or isinstance(error["input"], Mapping):
        return f"{key}: {message}"  # a section as a whole has credentials in it
    if path[0] in SECRET_SECTIONS:
        return f"{key}: {message}"
    return f"{key}: {message}, got {_quoted(error['input'])}"


def _quoted(value: object) -> str:
    # A text is masked before it is quoted: in it a password ends where the text does.
    return mask_url(repr(mask_source(value) if isinstance(value, str) else value))


def _shown(path: tuple[str | int, ...], text: str) -> str:
    """What may be shown of a text with references: what stands beside them may be a password."""
    return MASK if path[0] in SECRET_SECTIONS and not is_reference(text) else mask_url(text)


def yaml_text(values: Mapping[str, Any]) -> str:
    """Write sections as a file that `read_yaml` reads, in their order."""
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)


def yaml_value(value: Any) -> str:
    """Write a value as it stands behind its key, on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")
