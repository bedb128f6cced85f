"""The documentation as text: pages, code blocks, links, headings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY

FOLDERS = ("docs", "deploy", "examples", "demo", "models")
PAGES = sorted(REPOSITORY.glob("*.md")) + sorted(
    page for folder in FOLDERS for page in (REPOSITORY / folder).rglob("*.md")
)
README = REPOSITORY / "README.md"
CHINESE_README = REPOSITORY / "README.zh.md"

_BLOCK = re.compile(
    r"^ *```(?P<language>\w*)\n(?P<fenced>.*?)^ *```$|(?P<indented>(?:^    [^\n]*\n?)+)",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_ENDS_A_COMMAND = {"|", ">", "&&", ";"}


@dataclass(frozen=True, slots=True)
class Block:
    """A code block; an indented one has no language."""

    page: Path
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    found = []
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        text = match["fenced"] if match["fenced"] is not None else match["indented"]
        found.append(Block(page, match["language"] or "", text))
    return found


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def blocks_in(language: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page) if block.language == language]


def shell_lines(*, with_prose: bool) -> Iterator[tuple[Path, str]]:
    """Every line of a block without a language, and perhaps what stands in backticks."""
    for page in PAGES:
        for block in blocks(page):
            if block.language in ("", "sh", "bash"):
                for line in block.text.replace("\\\n", " ").splitlines():
                    yield page, line.strip()
        if not with_prose:
            continue
        for text in re.findall(r"`([^`]+)`", prose(page)):
            yield page, text.replace("\n", " ")


def commands(*programs: str, with_prose: bool = True) -> Iterator[tuple[Path, list[str]]]:
    """The words of each command that begins with one of these, whatever stands in front."""
    for page, line in shell_lines(with_prose=with_prose):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # prose inside backticks
            continue
        names = [Path(word).name for word in words]
        start = next((names.index(name) for name in programs if name in names), None)
        if start is None:
            continue
        rest = words[start:]
        end = next((i for i, word in enumerate(rest) if word in _ENDS_A_COMMAND), len(rest))
        yield page, rest[:end]


def links(page: Path) -> list[str]:
    return _LINK.findall(prose(page))


def headings(page: Path) -> list[tuple[int, str]]:
    """Level and text."""
    found = re.findall(r"^(#+) (.+)$", prose(page), re.MULTILINE)
    return [(len(marks), text) for marks, text in found]


def anchors(page: Path) -> set[str]:
    """As GitHub derives them from the headings."""
    texts = (re.sub(r"[^\w\- ]", "", text.lower()) for _, text in headings(page))
    return {text.strip().replace(" ", "-") for text in texts}


def name_of(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))
