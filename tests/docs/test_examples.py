"""Examples in the documentation are what they claim to be."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands.options import load
from pipeline.events import decode_event
from tests.conftest import REPOSITORY
from tests.docs.pages import README, Block, blocks, blocks_in, name_of

OURS = ("pipeline", "models", "training")


def label(block: Block) -> str:
    return name_of(block.page)


def test_there_are_examples() -> None:
    assert blocks_in("json")
    assert blocks_in("yaml")
    assert blocks_in("python")


@pytest.mark.parametrize("block", blocks_in("json"), ids=label)
def test_a_json_example_is_an_event(block: Block) -> None:
    decode_event(block.text)


@pytest.mark.parametrize("block", blocks_in("yaml"), ids=label)
def test_a_yaml_example_is_a_configuration(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in re.findall(r"\$\{(\w+)\}", block.text):
        monkeypatch.setenv(name, "secret")
    file = tmp_path / "example.yaml"
    file.write_text(block.text)
    load(file, None, None, None)


@pytest.mark.parametrize("block", blocks_in("python"), ids=label)
def test_a_python_example_compiles_and_its_imports_exist(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS:
            module = importlib.import_module(node.module or "")
            missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
            assert missing == []


def test_the_subscriber_in_node_is_the_one_in_examples() -> None:
    def code(text: str) -> list[str]:
        without = (re.sub(r"\s*// .*", "", line).rstrip() for line in text.splitlines())
        return [line for line in without if line]

    example = code((REPOSITORY / "examples" / "listen.mjs").read_text())
    shown = [code(block.text) for block in blocks_in("js")]
    assert len(shown) >= 2
    assert all(one == example for one in shown)


def test_the_webhook_of_the_docs_is_the_one_in_examples() -> None:
    example = (REPOSITORY / "examples" / "webhook.py").read_text()
    shown = [b.text for b in blocks(REPOSITORY / "docs" / "subscribe.md") if "hook_url" in b.text]
    names = {line for line in shown[0].splitlines() if line.startswith(("from", "fights", "with"))}
    assert names
    assert names <= set(example.splitlines())


def test_the_event_of_the_readme_is_the_one_of_the_docs() -> None:
    (short,) = [block for block in blocks(README) if block.language == "json"]
    (long,) = [b for b in blocks(REPOSITORY / "docs" / "subscribe.md") if b.language == "json"]
    assert decode_event(short.text) == decode_event(long.text)


def test_the_example_of_a_subscribers_test_passes() -> None:
    page = REPOSITORY / "docs" / "subscribe.md"
    (example,) = [b.text for b in blocks(page) if "InMemorySubscriber" in b.text]
    names: dict[str, Any] = {}
    exec(compile(example, str(page), "exec"), names)
    names["test_the_bell_rings_for_every_fight"]()
