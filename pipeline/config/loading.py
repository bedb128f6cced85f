"""From YAML files and single settings to a checked configuration; errors name the key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.config.environment import is_reference, resolve_environment
from pipeline.config.explanation import (
    example_of,
    refuse_other_kind,
    refuse_too_long,
    section_at,
    suggestion,
    worded,
)
from pipeline.config.yaml_document import ValuePath, YamlDocument, YamlError, parse_yaml
from pipeline.errors import ConfigError
from pipeline.paths import expand_user
from pipeline.redaction import MASK, mask_source, mask_url

_AT_KEY = "wrong_at_key"  # an error that names its key itself

# Sections whose values may be passwords, or a password in the wrong place.
SECRET_SECTIONS = ("cameras", "redis", "bridges")


# A path of the user; `~` is the home directory. The second is for a key that may also be a name.
UserPath = Annotated[Path, AfterValidator(lambda path: Path(expand_user(str(path))))]
UserPathOrName = Annotated[str, AfterValidator(expand_user)]

SectionKind = TypeVar("SectionKind", bound="Section")


class Section(BaseModel):
    """A section of the configuration: immutable; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # What was written where the value is that of an environment variable.
    _written: dict[ValuePath, str] = PrivateAttr(default_factory=dict)

    @field_validator("*", mode="before")
    @classmethod
    def _of_the_right_kind(cls, value: Any, info: ValidationInfo) -> Any:
        assert info.field_name is not None
        annotation = cls.model_fields[info.field_name].annotation
        return refuse_other_kind(annotation, value)

    @field_validator("*", mode="after")
    @classmethod
    def _of_this_century(cls, value: Any, info: ValidationInfo) -> Any:
        return refuse_too_long(info.field_name or "", value)

    def loggable_json(self) -> str:
        """Return the values without credentials, and without those of environment variables."""
        values = self.model_dump(mode="json")
        for path, text in self._written.items():
            inner: Any = values
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = _shown(path, text)
        return mask_url(json.dumps(values, ensure_ascii=False))


def wrong_value_at(key: str, problem: str) -> PydanticCustomError:
    """Return the error of a value that another section shows to be wrong.

    Args:
        key: of the value, such as `rules.fight.zone`; the message names it, and its line.
        problem: what is wrong and what to do; it quotes no value that may be a secret.
    """
    return PydanticCustomError(_AT_KEY, "{problem}", {"key": key, "problem": problem})


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
        ConfigError: naming the file and line, the key, what was given and what was expected.
    """
    document = YamlDocument({}) if override is None else _read_document(override)
    merged, changed = document.content, []
    for setting in settings:
        change, path = _parse_setting(setting)
        merged = _merge(merged, change)
        changed.append(path)

    def place(path: ValuePath) -> str:
        """Where a value is in the file, unless a setting changed it."""
        line = document.line_of(path)
        if line is None or any(path[: len(one)] == one for one in changed):
            return ""
        return f"{override}, line {line}: "

    try:
        merged, written = resolve_environment(merged)
    except ConfigError as error:
        path = tuple(str(error).partition(":")[0].split("."))
        raise ConfigError(f"{place(path)}{error}") from None
    try:
        loaded = kind.model_validate(merged)
    except ValidationError as error:
        items = [_located(dict(item)) for item in error.errors()]
        lines = (
            f"{place(tuple(item['loc']))}{_explain(kind, item, listed_in, written)}"
            for item in items
        )
        raise ConfigError("\n".join(lines)) from None  # the cause quotes values
    loaded._written.update(written)
    return loaded


def parse_value(text: str) -> Any:
    """Parse a value as in a YAML file.

    Raises:
        ConfigError: if it is not valid YAML; the message does not quote it.
    """
    try:
        return parse_yaml(text).content
    except YamlError as error:
        raise ConfigError(f"the value is {error}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the sections of a file.

    Raises:
        ConfigError: if it cannot be read or has no sections.
    """
    content = _read_document(path).content
    assert isinstance(content, dict)
    return content


def _read_document(path: Path) -> YamlDocument:
    """Read a file; its content is a dict.

    Raises:
        ConfigError: if it cannot be read or has no sections.
    """
    try:
        document = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the configuration ({error.strerror})") from error
    except UnicodeDecodeError:  # not chained, and nothing quoted: there may be a password near
        raise ConfigError(f"{path}: no UTF-8 text") from None
    except YamlError as error:
        raise ConfigError(f"{path}: {error}") from None
    if document.content is None:
        return YamlDocument({})
    if not isinstance(document.content, dict):
        found = type(document.content).__name__
        raise ConfigError(f"{path}: expected sections with keys, found {found}")
    return document


def _parse_setting(setting: str) -> tuple[dict[str, Any], ValuePath]:
    """Return a setting as sections, and the path of its value."""
    key, equals, text = setting.partition("=")
    key = key.strip()
    if not equals or not key:
        shown = mask_source(setting)
        raise ConfigError(f"--set {shown}: expected KEY=VALUE, e.g. detector.confidence=0.5")
    try:
        value = parse_value(text)
    except ConfigError as error:
        raise ConfigError(f"--set {key}: {error}") from None
    path = tuple(key.split("."))
    for part in reversed(path):
        value = {part: value}
    assert isinstance(value, dict)
    return value, path


def _merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        both_sections = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(old, value) if both_sections else value  # type: ignore[arg-type]
    return merged


def _located(error: dict[str, Any]) -> dict[str, Any]:
    """Return the error with the place that it names, where it is about another one than its own."""
    if error["type"] != _AT_KEY:
        return error
    return error | {"loc": tuple(error["ctx"]["key"].split("."))}


def _explain(
    kind: type[Section], error: dict[str, Any], listed_in: str, written: Mapping[ValuePath, str]
) -> str:
    path: ValuePath = tuple(error["loc"])
    if path[-1:] == ("[key]",):  # of a name that the user gives, such as a camera's
        path = path[:-1]
    key = mask_url(".".join(str(part) for part in path)) or "configuration"
    if error["type"] == "extra_forbidden":
        meant = suggestion(kind, path)
        return f"{key}: unknown key; {meant or f'{listed_in} lists all keys'}"
    if error["type"] == "missing":
        return f"{key}: missing"
    message = worded(error["type"], error["msg"], error.get("ctx", {}))
    if error["type"] in ("model_type", "model_attributes_type"):
        message += example_of(section_at(kind, path))
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
    if value is None:
        return "nothing"
    # A text is masked before it is quoted: in it a password ends where the text does.
    return mask_url(repr(mask_source(value) if isinstance(value, str) else value))


def _shown(path: ValuePath, text: str) -> str:
    """What may be shown of a text with references: what stands beside them may be a password."""
    return MASK if path[0] in SECRET_SECTIONS and not is_reference(text) else mask_url(text)
