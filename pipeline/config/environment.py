"""`${NAME}` in a configuration value takes an environment variable; the one place that reads it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pipeline.errors import ConfigError

Path = tuple[str | int, ...]  # of a value: keys, and positions in lists

# In this order: an escaped opening, a reference, an opening that is neither.
_REFERENCE = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|\$\{")


def resolve_environment(
    values: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], dict[Path, str]]:
    """Replace `${NAME}` by the environment variable NAME, and `$${` by `${`, in all texts.

    Args:
        values: sections as read from YAML; keys stay as they are.
        environment: variables by name; None: those of this process.

    Returns:
        The sections with their values, and the text as it was written of every value that took a
        variable, by its path: what may be logged in its place.

    Raises:
        ConfigError: naming key and variable if it is not set, the key if a reference is malformed.
    """
    written: dict[Path, str] = {}
    known = os.environ if environment is None else environment
    resolved = {key: _resolve(value, (key,), known, written) for key, value in values.items()}
    return resolved, written


def is_reference(text: str) -> bool:
    """Whether the text is one `${NAME}` and nothing else."""
    found = _REFERENCE.fullmatch(text)
    return found is not None and found["name"] is not None


def _resolve(
    value: Any, path: Path, environment: Mapping[str, str], written: dict[Path, str]
) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _resolve(inner, (*path, key), environment, written) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [
            _resolve(inner, (*path, index), environment, written)
            for index, inner in enumerate(value)
        ]
    if not isinstance(value, str) or "${" not in value:
        return value
    key = ".".join(map(str, path))

    def variable(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "${"
        name = found["name"]
        if name is None:  # nothing is quoted: the text may hold a password
            raise ConfigError(f"{key}: `${{` takes a NAME and `}}`; a literal one is `$${{`")
        if name not in environment:
            near = get_close_matches(name, environment, n=1, cutoff=0.8)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{key}: the environment has no variable {name}{meant}")
        written[path] = value
        return environment[name]

    return _REFERENCE.sub(variable, value)
