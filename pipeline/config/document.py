"""What is written from the sections: the file of defaults, its JSON Schema, the reference page.

`python -m pipeline.config.document` writes `configs/default.yaml`, `configs/schema.json` and
`docs/configuration.md` of a checkout; a test holds that they are current.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.config.loading import Section
from pipeline.config.schema import PipelineConfig
from pipeline.config.yaml_document import yaml_value

INDENT = "  "
WIDEST_KEY = 28  # columns of `key: value` up to which comments are aligned
UNITS = {"_s": "seconds", "_fps": "frames per second", "_mb": "megabytes"}
# What a number, a boolean or a choice may be instead: the schema cannot see the variable's value.
REFERENCE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"}
# Keywords of a value, which move into a branch when the reference becomes another.
VALUE_KEYWORDS = (
    "type",
    "enum",
    "pattern",
    "items",
    "prefixItems",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
)

PREAMBLE = """\
# yaml-language-server: $schema=schema.json
# Every key of behaviour-stream with its default; written by `python -m pipeline.config.document`.
# A file given with --config holds only what differs; --set section.key=value changes one key.
# ${NAME} in a value is replaced by the environment variable NAME; $${ is a literal ${.
# A relative path is resolved in the current directory first, then in the installed program.
"""

REFERENCE_PAGE = """\
# Configuration

Written from `pipeline/config/` by `python -m pipeline.config.document`; do not edit it here.

Every key has a default, so no file is needed. A file given with `--config FILE` holds only what
differs from `configs/default.yaml`; `--set section.key=value` changes one key and may
be given more than once. The order is: defaults, file, `--set`, the command's own options such as
`--redis`. An unknown key, a key that is given twice or a wrong value is an error that names the
key and its line, and nothing runs. `--log-level debug` logs the configuration of a run, without
credentials.

Words are text: a camera may be named `on`, a label `no`, and `0123` is a password. Where a boolean
is expected, `on`, `off`, `yes` and `no` are booleans.

`${NAME}` in a value is replaced by the environment variable `NAME`, in files and in `--set`; a
variable that is not set is an error. `$${` is a literal `${`. The values of variables are never
logged.

`behaviour-stream config-schema` prints a JSON Schema of the file. With this line at its top,
editors that know YAML complete and check the keys:

```yaml
# yaml-language-server: $schema=schema.json
```
"""


def default_yaml(model: type[Section], preamble: str, skip: tuple[str, ...] = ()) -> str:
    """Write every key with its default and its meaning as YAML.

    Args:
        model: of the whole file.
        preamble: comment lines at the top.
        skip: top-level keys that another file documents.
    """
    paragraphs = [preamble]
    entries: list[tuple[str, str]] = []  # of keys that are no sections, which stand together
    for name, field in model.model_fields.items():
        if name in skip:
            continue
        inner = _section_of(field.annotation)
        if inner is None:
            entries.append((_entry(name, field), field.description or ""))
            continue
        if entries:
            paragraphs.append(_aligned(entries, ""))
            entries = []
        paragraphs.append(_section_yaml(name, field.description, inner, ""))
    if entries:
        paragraphs.append(_aligned(entries, ""))
    return "\n".join(paragraphs)


def json_schema(model: type[Section]) -> dict[str, Any]:
    """Return the JSON Schema of a configuration file, in which every key may be absent."""
    schema = model.model_json_schema()
    for section in (schema, *schema.get("$defs", {}).values()):
        section.pop("title", None)
        for leaf in section.get("properties", {}).values():
            leaf.pop("title", None)
            _allow_reference(leaf)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def json_schema_text(model: type[Section]) -> str:
    """Return the JSON Schema as the text that is committed and printed."""
    return json.dumps(json_schema(model), indent=2, ensure_ascii=False) + "\n"


def reference_tables(model: type[Section], skip: tuple[str, ...] = ()) -> str:
    """Return a Markdown table per section: key, type, default, unit, meaning."""
    schema = model.model_json_schema()
    sections = _sections(schema, schema, "", "")
    parts = []
    for name, meaning, properties in sections:
        rows = [
            _row(key, leaf, required)
            for key, leaf, required in properties
            if name or key not in skip
        ]
        if not rows or name.split(".")[0] in skip:
            continue
        heading = f"## {name}" if name else "## Top level"
        parts += [heading, "", *([meaning, ""] if name else [])]
        parts += ["| key | type | default | unit | meaning |", "|---|---|---|---|---|", *rows, ""]
    return "\n".join(parts)


def _section_of(annotation: Any) -> type[Section] | None:
    is_section = isinstance(annotation, type) and issubclass(annotation, Section)
    return annotation if is_section else None


def _section_yaml(name: str, meaning: str | None, model: type[Section], indent: str) -> str:
    lines = [f"{indent}{name}:{f'  # {meaning}' if meaning else ''}\n"]
    entries: list[tuple[str, str]] = []  # of keys that are no sections
    for key, field in model.model_fields.items():
        inner = _section_of(field.annotation)
        if inner is None:
            entries.append((_entry(key, field), field.description or ""))
        else:
            lines.append(_section_yaml(key, field.description, inner, indent + INDENT))
    return "".join([*lines, _aligned(entries, indent + INDENT)])


def _entry(name: str, field: Any) -> str:
    default = field.get_default(call_default_factory=True)
    plain = str(default) if isinstance(default, Path) else default
    return f"{name}: {yaml_value(list(plain) if isinstance(plain, tuple) else plain)}"


def _aligned(entries: list[tuple[str, str]], indent: str) -> str:
    widths = [len(entry) for entry, _ in entries if len(entry) <= WIDEST_KEY]
    column = max(widths, default=0)
    return "".join(f"{indent}{entry:<{column}}  # {meaning}\n" for entry, meaning in entries)


def _allow_reference(leaf: dict[str, Any]) -> None:
    branches = leaf.get("anyOf") or [
        {word: leaf[word] for word in VALUE_KEYWORDS if word in leaf},
    ]
    kinds = [branch.get("type") for branch in branches]
    is_value = all(
        kind in ("integer", "number", "boolean", "null") or "enum" in branch or "pattern" in branch
        for kind, branch in zip(kinds, branches, strict=True)
    )
    if is_value:
        for word in VALUE_KEYWORDS:
            leaf.pop(word, None)
        leaf["anyOf"] = [*branches, REFERENCE]


def _sections(
    schema: Mapping[str, Any], node: Mapping[str, Any], name: str, meaning: str
) -> Iterator[tuple[str, str, list[tuple[str, Mapping[str, Any], bool]]]]:
    """Yield name, meaning and keys of a section, then those of the sections in it."""
    plain: list[tuple[str, Mapping[str, Any], bool]] = []
    nested: list[tuple[Mapping[str, Any], str]] = []
    for key, leaf in node.get("properties", {}).items():
        inner, path = _definition(schema, leaf), f"{name}.{key}" if name else key
        if inner is None:
            plain.append((key, leaf, key in node.get("required", ())))
            continue
        if leaf.get("additionalProperties") or leaf.get("patternProperties"):
            plain.append((key, leaf, False))
            path += ".NAME"
        nested.append((inner, path))
    yield name, meaning, plain
    for inner, path in nested:
        yield from _sections(schema, inner, path, inner.get("description", ""))


def _definition(schema: Mapping[str, Any], leaf: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the section that a key holds, if any, or that each entry of a mapping holds."""
    patterns: Mapping[str, Any] = leaf.get("patternProperties", {})
    entries: Any = leaf.get("additionalProperties") or next(iter(patterns.values()), {})
    branches = [leaf, *leaf.get("anyOf", ()), *([entries] if isinstance(entries, dict) else [])]
    reference = next((one["$ref"] for one in branches if "$ref" in one), None)
    return None if reference is None else schema["$defs"][reference.rsplit("/", 1)[-1]]


def _row(key: str, leaf: Mapping[str, Any], required: bool) -> str:
    default = "required" if required else f"`{yaml_value(leaf.get('default'))}`"
    unit = leaf.get("unit") or next(
        (unit for suffix, unit in UNITS.items() if key.endswith(suffix)), ""
    )
    cells = (f"`{key}`", _type_text(leaf), default, unit, leaf.get("description", ""))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _type_text(leaf: Mapping[str, Any]) -> str:
    if "anyOf" in leaf:
        return " or ".join(map(_type_text, leaf["anyOf"]))
    if "enum" in leaf:
        return " or ".join(f"`{value}`" for value in leaf["enum"])
    kind = str(leaf.get("type", "section"))
    if kind == "array":
        fixed = leaf.get("prefixItems")
        return f"list of {len(fixed)} {_type_text(fixed[0])}" if fixed else "list"
    if kind == "object":
        return "mapping"
    bounds = {
        "minimum": ">=",
        "exclusiveMinimum": ">",
        "maximum": "<=",
        "exclusiveMaximum": "<",
    }
    texts = [f"{sign} {leaf[word]:g}" for word, sign in bounds.items() if word in leaf]
    return f"{kind} {', '.join(texts)}".rstrip()


def write(path: Path, text: str) -> None:
    """Write a text and report where."""
    path.write_text(text, encoding="utf-8")
    print(path)


def documents() -> dict[str, str]:
    """Return the texts of all files about the pipeline's configuration, by their path."""
    return {
        "configs/default.yaml": default_yaml(PipelineConfig, PREAMBLE),
        "configs/schema.json": json_schema_text(PipelineConfig),
        "docs/configuration.md": f"{REFERENCE_PAGE}\n{reference_tables(PipelineConfig)}",
    }


if __name__ == "__main__":
    for name, text in documents().items():
        write(Path(name), text)
