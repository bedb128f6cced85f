"""Read YAML as people mean it: no key twice, keys and words stay text, every value has its line."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from pipeline.redaction import mask_url

ValuePath = tuple[str | int, ...]  # of a value: keys, and positions in lists

# PyYAML reads YAML 1.1, in which these are no text: on, off, yes, no (booleans), 0123 (octal),
# 12:30 (base 60), 2024-01-01 (a date), = and 0x_ (errors). Here they are text; where a number or a
# boolean is expected, 0123 and on are understood all the same. What is left is a part of PyYAML's
# forms, so that what it writes is read back as it was.
_PLAIN_VALUES = {
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "tag:yaml.org,2002:int": (r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    "tag:yaml.org,2002:float": (
        r"([-+]?[0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    "tag:yaml.org,2002:null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "tag:yaml.org,2002:merge": (r"<<", "<"),
}

# Problems in which PyYAML quotes the text of an alias, anchor or tag, which may be a password.
_QUOTING = re.compile(
    r"(found undefined alias|found duplicate anchor|found undefined tag handle"
    r"|could not determine a constructor for the tag).*",
    re.S,
)
MOST_VALUES = 100_000  # with what aliases repeat


class YamlError(ValueError):
    """The text is not YAML, or has a key twice; the message quotes no value."""


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """The content of a text, and the line of each value."""

    content: Any
    lines: dict[ValuePath, int] = field(default_factory=dict)  # of keys and items, from 1

    def line_of(self, path: ValuePath) -> int | None:
        """Return the line of a value, or of the section in which it is missing."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        self.flatten_mapping(node)
        # Keys are names: of sections, cameras, labels. A camera named 1 or no is no number.
        return {
            str(key.value): self.construct_object(value, deep=deep) for key, value in node.value
        }


_Loader.yaml_implicit_resolvers = {}
for _tag, (_pattern, _first) in _PLAIN_VALUES.items():
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), list(_first))


def parse_yaml(text: str) -> YamlDocument:
    """Parse one document.

    Raises:
        YamlError: if it is not valid, a key is no text, or a key is given twice in a section.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return YamlDocument(None)
        lines = _checked_lines(node)
        return YamlDocument(loader.construct_document(node), lines)
    except yaml.YAMLError as error:
        raise YamlError(f"not valid YAML{_where(error, text)}") from None
    except YamlError:
        raise
    # Of deep nesting, and of a tag with a text that is none of its kind, such as `!!int x`.
    except (RecursionError, ValueError, TypeError, AttributeError) as error:
        raise YamlError(f"not valid YAML ({type(error).__name__})") from None


def _checked_lines(node: yaml.Node) -> dict[ValuePath, int]:
    """Return the line of every value.

    Raises:
        YamlError: if a key is given twice, or aliases repeat each other without end.
    """
    if _count(node, {}) > MOST_VALUES:
        raise YamlError(f"more than {MOST_VALUES} values: aliases repeat each other")
    lines: dict[ValuePath, int] = {}
    twice: dict[ValuePath, str] = {}
    for path, line in _lines(node, (), set()):
        if path in lines and not any(path[:length] in twice for length in range(len(path))):
            name = mask_url(".".join(map(str, path)))
            twice.setdefault(path, f"{name} is given twice, in lines {lines[path]} and {line}")
        lines.setdefault(path, line)
    if twice:
        raise YamlError("; ".join(twice.values()))
    return lines


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values, those of an alias wherever it is."""
    if id(node) in known:
        if known[id(node)] == 0:
            raise YamlError(f"line {node.start_mark.line + 1}: an alias is a part of itself")
        return known[id(node)]
    known[id(node)] = 0  # not counted to its end
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        inner = [one for pair in node.value for one in pair]
    elif isinstance(node, yaml.SequenceNode):
        inner = node.value
    known[id(node)] = 1 + sum(_count(one, known) for one in inner)
    return known[id(node)]


def _lines(node: yaml.Node, path: ValuePath, seen: set[int]) -> Iterator[tuple[ValuePath, int]]:
    """Yield the line of every key and item; what an alias repeats only where it is written."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise YamlError(f"line {line}: a key is a name, not a list or a section")
            yield (*path, key.value), line
            yield from _lines(value, (*path, key.value), seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*path, index), item.start_mark.line + 1
            yield from _lines(item, (*path, index), seen)


def _where(error: yaml.YAMLError, text: str) -> str:
    """Line, column and problem, without the line itself."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    at = "" if mark is None else f" in line {mark.line + 1}, column {mark.column + 1}"
    if not problem:
        return at
    if quoting := _QUOTING.match(str(problem)):
        return f"{at}: {quoting[1]}; write a text that starts with * & or ! in quotes"
    written = text.splitlines()[mark.line : mark.line + 1] if mark is not None else []
    hint = '; inside of { } and [ ] write "${NAME}" in quotes' if "${" in "".join(written) else ""
    return f"{at}: {problem}{hint}"


def yaml_text(values: Mapping[str, Any]) -> str:
    """Write sections as a file that `parse_yaml` reads, in their order."""
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)


def yaml_value(value: Any) -> str:
    """Write a value as it stands behind its key, on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")
