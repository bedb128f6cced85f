"""Read the names of a checkpoint's classes from a file beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_NUMBERED = re.compile(r"(\d+)\s*[:,]\s*(.+)")


def find_label_file(weights: Path) -> Path | None:
    """Find `NAME.labels.txt` or `.json` beside the weights, else `labels.txt` or `.json`."""
    for stem in (f"{weights.stem}.labels", "labels"):
        for suffix in (".txt", ".json"):
            candidate = weights.with_name(stem + suffix)
            if candidate.is_file():
                return candidate
    return None


def read_labels(path: Path, num_classes: int) -> tuple[str, ...]:
    """Read the labels in the order of the classes.

    Args:
        path: text with one label per line, or with lines `N: label`; or JSON: a list, an object
            from labels to numbers (pytorchvideo's Kinetics file), or from numbers to labels.
        num_classes: how many there must be. Numbered labels may start at 1, as AVA's do; a class
            without a label is then called class_N.

    Raises:
        ValueError: naming the file, if it has another format or another number of labels.
    """
    named = _read(path)
    if isinstance(named, list):
        if len(named) != num_classes:
            raise ValueError(f"{path}: {len(named)} labels for a network of {num_classes} classes")
        return tuple(named)
    first = 1 if 0 not in named and max(named, default=0) == num_classes else 0
    if max(named, default=0) - first >= num_classes:
        raise ValueError(f"{path}: label {max(named)} for a network of {num_classes} classes")
    return tuple(named.get(index + first, f"class_{index}") for index in range(num_classes))


def read_label_numbers(path: Path) -> dict[int, str]:
    """Read the label of every number, for lists with numbers instead of names.

    Args:
        path: as of `read_labels`, or AVA's .pbtxt. Labels without numbers are numbered from 0.

    Raises:
        ValueError: naming the file, if it has another format.
    """
    named = _read(path)
    return dict(enumerate(named)) if isinstance(named, list) else named


def _read(path: Path) -> list[str] | dict[int, str]:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return _from_json(json.loads(text))
        return _from_pbtxt(text) if path.suffix == ".pbtxt" else _from_lines(text)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as labels ({error})") from error


def _from_pbtxt(text: str) -> dict[int, str]:
    """Parse AVA's list of actions: blocks with name and id (label and label_id in older ones)."""
    names = re.findall(r'\b(?:name|label)\s*:\s*"([^"]*)"', text)
    numbers = re.findall(r"\b(?:id|label_id)\s*:\s*(\d+)", text)
    if len(names) != len(numbers):
        raise ValueError(f"{len(names)} names for {len(numbers)} numbers")
    return dict(zip(map(int, numbers), names, strict=True))


def _from_lines(text: str) -> list[str] | dict[int, str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    if lines and all(numbered):
        return {int(match[1]): match[2] for match in numbered if match}
    return lines


def _from_json(content: Any) -> list[str] | dict[int, str]:
    if isinstance(content, list):
        return [str(label) for label in content]
    if not isinstance(content, Mapping):
        raise ValueError("a list or an object is expected")
    if all(isinstance(value, int) for value in content.values()):
        return {value: _unquoted(name) for name, value in content.items()}
    return {int(number): str(name) for number, name in content.items()}


def _unquoted(name: str) -> str:
    return name.strip('"')  # pytorchvideo's kinetics_classnames.json has quotes in the names
