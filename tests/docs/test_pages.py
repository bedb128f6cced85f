"""Links, paths, modules and keys that the documentation names exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from pipeline.config.schema import PipelineConfig
from tests.conftest import REPOSITORY
from tests.docs.pages import (
    CHINESE_README,
    PAGES,
    README,
    anchors,
    blocks,
    headings,
    links,
    name_of,
    prose,
)

TREES = (
    "benchmarks",
    "configs",
    "demo",
    "deploy",
    "docs",
    "examples",
    "models",
    "pipeline",
    "testbed",
    "tests",
    "training",
)
MAX_README_LINES = 200
HISTORY = {"CHANGELOG.md"}  # speaks of what was
MADE_BY_THE_READER = {"deploy/config"}


def test_relative_links_lead_to_a_file_and_a_heading() -> None:
    broken = []
    for page in PAGES:
        for link in links(page):
            if re.match(r"\w+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{name_of(page)}: {link}")
    assert broken == []


def test_paths_in_backticks_exist() -> None:
    missing = []
    for page in PAGES:
        for text in re.findall(r"`([\w./-]+)`", prose(page)):
            is_ours = text.split("/")[0] in TREES and "/" in text and text not in MADE_BY_THE_READER
            if is_ours and name_of(page) not in HISTORY and not (REPOSITORY / text).exists():
                missing.append(f"{name_of(page)}: {text}")
    assert missing == []


def test_modules_in_backticks_exist() -> None:
    missing = []
    for page in PAGES:
        for text in re.findall(
            r"`((?:pipeline|models|training|testbed|benchmarks)(?:\.\w+)+)`", prose(page)
        ):
            module = text
            if text == "benchmarks.NAME" or name_of(page) in HISTORY:
                continue
            try:
                found = importlib.util.find_spec(module)
            except ModuleNotFoundError:
                found = None
            if found is None:
                missing.append(f"{name_of(page)}: {text}")
    assert missing == []


def test_configuration_keys_in_backticks_exist() -> None:
    sections = "|".join(PipelineConfig.model_fields)
    missing = []
    for page in PAGES:
        for section, key in re.findall(
            rf"`({sections})\.(?!(?:yaml|md|secret)`)(\w+)", prose(page)
        ):
            model = PipelineConfig.model_fields[section].annotation
            fields = getattr(model, "model_fields", {})
            if fields and key not in fields and key != "model_fields":
                missing.append(f"{name_of(page)}: {section}.{key}")
    assert missing == []


def test_the_readme_is_one_page() -> None:
    for page in (README, CHINESE_README):
        assert len(page.read_text(encoding="utf-8").splitlines()) <= MAX_README_LINES


def test_the_chinese_readme_is_the_same_page() -> None:
    levels = [[level for level, _ in headings(page)] for page in (README, CHINESE_README)]
    assert levels[0] == levels[1]
    code = [[block.text for block in blocks(page)] for page in (README, CHINESE_README)]
    assert code[0] == code[1]
    targets = [
        {link for link in links(page) if not link.startswith(("#", "README"))}
        for page in (README, CHINESE_README)
    ]
    assert targets[0] == targets[1]


def test_images_are_small_and_load_nothing() -> None:
    for image in (*(REPOSITORY / "docs").rglob("*.svg"), *(REPOSITORY / "docs").rglob("*.jpg")):
        assert image.stat().st_size < 300_000, image
        if image.suffix == ".svg":
            assert not re.search(r"(?:href=|url\()\W*https?:", image.read_text()), image


def test_every_page_is_in_the_navigation() -> None:
    navigation = (REPOSITORY / "mkdocs.yml").read_text()
    docs = REPOSITORY / "docs"
    pages = (str(page.relative_to(docs)) for page in docs.rglob("*.md"))
    assert [page for page in pages if f"- {Path(page)}" not in navigation] == []
