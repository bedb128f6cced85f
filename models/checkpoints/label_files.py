"""Read the names of a checkpoint's classes from a file beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from models.checkpoints.text_files import read_text

# One label of a file: its number as it stands there, its name, and where it stands.
_Numbered = tuple[str, str, str]

_FIRST = re.compile(r"(\d+)\s*([:,;\t ])\s*(.*\S)")  # 1 walk; 1: walk; 1,walk
_LAST = re.compile(r"(.*[^\s:,;])\s*([:,;\t ])\s*(\d+)")  # walk 1
_HEADER = re.compile(
    r"(id|index|number|label|class|class_?id|label_?id)\s*[,;:\t ]\s*"
    r"(name|label|class|action|class_?name|label_?name|display_name)",
    re.IGNORECASE,
)


def find_label_file(weights: Path) -> Path | None:
    """Find `NAME.labels.txt`, `.json` or `.yaml` beside the weights, else `labels.txt`, ..."""
    for stem in (f"{weights.stem}.labels", "labels"):
        for suffix in (".txt", ".json", ".yaml", ".yml"):
            candidate = weights.with_name(stem + suffix)
            if candidate.is_file():
                return candidate
    return None


def read_labels(path: Path, num_classes: int) -> tuple[str, ...]:
    """Read the labels in the order of the classes.

    Args:
        path: text with one label per line, or with lines `N label`, `N: label`, `N, label` or the
            number last; JSON or YAML: a list, a mapping of labels to numbers (pytorchvideo's
            Kinetics file), or of numbers to labels.
        num_classes: how many there must be. Numbered labels may start at 1, as AVA's do; a class
            without a label is then called class_N.

    Raises:
        ValueError: naming the file, if it has another format or another number of labels, or does
            not show whether its numbers start at 0 or 1.
    """
    named = _read(path)
    if isinstance(named, list):
        if len(named) != num_classes:
            raise ValueError(f"{path}: {len(named)} labels for a network of {num_classes} classes")
        return tuple(named)
    highest = max(named, default=0)
    first = 1 if 0 not in named and highest == num_classes else 0
    if highest - first >= num_classes:
        raise ValueError(f"{path}: label {highest} for a network of {num_classes} classes")
    if 0 not in named and highest not in (num_classes, num_classes - 1):
        raise ValueError(
            f"{path}: labels {min(named)} to {highest} for a network of {num_classes} classes do "
            "not show whether they are numbered from 0 or from 1; name label 0 or the last one"
        )
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
        text = read_text(path)
        if path.suffix.lower() == ".json":
            named = _from_json(text)
        elif path.suffix.lower() in (".yaml", ".yml"):
            named = _from_yaml(text)
        else:
            named = _from_pbtxt(text) if path.suffix == ".pbtxt" else _from_lines(text)
        _check_names(named if isinstance(named, list) else named.values())
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: cannot be read as labels ({error})") from error
    return named


def _check_names(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name.strip():
            raise ValueError("a label has no name")
        if name in seen:
            raise ValueError(f"the label {name!r} stands there twice")
        seen.add(name)


def _from_pbtxt(text: str) -> dict[int, str]:
    """Parse AVA's list of actions: blocks with name and id (label and label_id in older ones)."""
    names = re.findall(r'\b(?:name|label)\s*:\s*"([^"]*)"', text)
    numbers = re.findall(r"\b(?:id|label_id)\s*:\s*(\d+)", text)
    if len(names) != len(numbers):
        raise ValueError(f"{len(names)} names for {len(numbers)} numbers")
    return _by_number((number, name, name) for number, name in zip(numbers, names, strict=True))


def _from_lines(text: str) -> list[str] | dict[int, str]:
    lines = [(at, line.strip()) for at, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) > 1 and _HEADER.fullmatch(lines[0][1]):
        lines = lines[1:]
    first = [_FIRST.fullmatch(line) for _, line in lines]
    count = sum(match is not None for match in first)
    if lines and count == len(lines):
        if any(match and match[2] in "\t " for match in first):
            _check_blanks([int(match[1]) for match in first if match], lines[0][1])
        return _by_number(_rows(first, lines, number=1, name=3))
    if count > len(lines) / 2:
        at, line = next(one for one, match in zip(lines, first, strict=True) if match is None)
        raise ValueError(f"line {at}: {line[:80]!r} has no number, as the other lines have")
    rows = list(_rows([_LAST.fullmatch(line) for _, line in lines], lines, number=3, name=1))
    names, numbers = {name for _, name, _ in rows}, sorted(int(number) for number, _, _ in rows)
    if 1 < len(lines) == len(names) and numbers in _full_ranges(len(lines)):
        return _by_number(rows)
    return [line for _, line in lines]


def _rows(
    matches: Iterable[re.Match[str] | None],
    lines: Iterable[tuple[int, str]],
    *,
    number: int,
    name: int,
) -> Iterator[_Numbered]:
    for match, (at, _) in zip(matches, lines, strict=True):
        if match is not None:
            yield match[number], match[name], f"line {at}"


def _full_ranges(count: int) -> tuple[list[int], list[int]]:
    """Numbers from 0 and from 1."""
    return list(range(count)), list(range(1, count + 1))


def _check_blanks(numbers: Sequence[int], example: str) -> None:
    """Refuse `2 people`, `3 people`: a blank may be part of a name that begins with a number."""
    if sorted(numbers) not in _full_ranges(len(numbers)):
        raise ValueError(
            f"all lines begin with a number, as {example[:80]!r}, but not with all from 0 or 1 on; "
            "if they number the labels, write `N: label`"
        )


def _from_json(text: str) -> list[str] | dict[int, str]:
    pairs = json.loads(text, object_pairs_hook=_Pairs)
    if isinstance(pairs, _Pairs):
        return _from_mapping(pairs)
    if not isinstance(pairs, list):
        raise ValueError("a list or an object is expected")
    if not all(isinstance(label, str | int) for label in pairs):
        raise ValueError("a list of names is expected")
    return [str(label) for label in pairs]


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object, in which a key may stand twice."""


def _from_yaml(text: str) -> list[str] | dict[int, str]:
    """Read nodes, not values: `no` is a name, and a key may stand twice."""
    root = yaml.compose(text, Loader=yaml.BaseLoader)
    if isinstance(root, yaml.MappingNode):
        named = [(key, value) for key, value in root.value if key.value == "names"]
        if len(named) > 1:
            lines = " and ".join(str(key.start_mark.line + 1) for key, _ in named)
            raise ValueError(f"names is given twice, in lines {lines}")
        root = named[0][1] if named else root  # as in the data files of YOLO
    if isinstance(root, yaml.SequenceNode) and all(map(_is_scalar, root.value)):
        return [node.value for node in root.value]
    if isinstance(root, yaml.MappingNode) and all(
        _is_scalar(node) for pair in root.value for node in pair
    ):
        return _from_mapping([(key.value, value.value) for key, value in root.value])
    raise ValueError("a list or a mapping of names and numbers is expected")


def _is_scalar(node: Any) -> bool:
    return isinstance(node, yaml.ScalarNode)


def _from_mapping(pairs: Sequence[tuple[str, Any]]) -> dict[int, str]:
    texts = [(key, str(value)) for key, value in pairs]
    if texts and all(key.isdecimal() for key, _ in texts):
        return _by_number((key, value, f"number {key}") for key, value in texts)
    if all(value.isdecimal() for _, value in texts):
        return _by_number((value, _unquoted(key), repr(key)) for key, value in texts)
    raise ValueError("a mapping of names to numbers, or of numbers to names, is expected")


def _by_number(rows: Iterable[_Numbered]) -> dict[int, str]:
    named: dict[int, str] = {}
    for number, name, where in rows:
        if int(number) in named:
            raise ValueError(f"{where}: the number {number} stands there twice")
        named[int(number)] = name
    return named


def _unquoted(name: str) -> str:
    return name.strip('"')  # pytorchvideo's kinetics_classnames.json has quotes in the names
