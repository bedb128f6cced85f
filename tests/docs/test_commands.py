"""The commands that the documentation shows can be run."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

import run_pipeline
from pipeline.commands.options import load
from pipeline.events import encode_event, event_json_schema
from pipeline.outputs.table_files import COLUMNS
from tests.conftest import REPOSITORY
from tests.docs.pages import commands, name_of
from training.config import load_train_config

PROGRAMS = ("behaviour-stream", "run_pipeline.py")
GROUP = get_command(run_pipeline.app)


def program_commands(*, with_prose: bool) -> list[tuple[Path, list[str]]]:
    known = set(GROUP.commands)
    return [
        (page, words[1:])
        for page, words in commands(*PROGRAMS, with_prose=with_prose)
        if any(word in known for word in words[1:])
    ]


def problem(words: list[str]) -> Exception | None:
    """What is wrong with the arguments of a command; nothing is run."""
    try:
        context = GROUP.make_context("behaviour-stream", list(words))
        # What the group does not take is the command's.
        left = [*context._protected_args, *context.args]
        name, command, rest = GROUP.resolve_command(context, left)
        assert command is not None
        command.make_context(name, list(rest), parent=context)
    except Exception as error:
        return error
    return None


def test_there_are_commands_to_check() -> None:
    assert len(program_commands(with_prose=False)) > 50


def test_every_command_of_the_program_has_these_arguments_and_options() -> None:
    checked = [
        (f"{name_of(page)}: {' '.join(words)}", problem(words))
        for page, words in program_commands(with_prose=False)
    ]
    assert [(command, error) for command, error in checked if error is not None] == []


def test_every_command_in_prose_has_these_options() -> None:
    checked = [
        (f"{name_of(page)}: {' '.join(words)}", problem(words))
        for page, words in program_commands(with_prose=True)
        if "--help" not in words
    ]
    # Prose may leave arguments out.
    wrong = [
        (command, error)
        for command, error in checked
        if error is not None and type(error).__name__ != "MissingParameter"
    ]
    assert wrong == []


def test_every_key_that_is_set_exists() -> None:
    wrong = []
    for page, words in program_commands(with_prose=True):
        settings = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
        if not settings or "convert" in words:  # fields of the input
            continue
        try:
            if "train" in words:
                load_train_config(None, settings)
            else:
                load(None, settings, None, None)
        except Exception as error:
            wrong.append(f"{name_of(page)}: {' '.join(words)}: {error}")
    assert wrong == []


def test_every_module_that_is_run_exists() -> None:
    wrong = []
    for page, words in commands("python"):
        if len(words) < 2:
            continue
        if words[1] == "-m":
            module = words[2] if len(words) > 2 else ""
            if module.split(".")[0] in ("benchmarks", "training", "models", "pipeline") and (
                module != "benchmarks.NAME" and importlib.util.find_spec(module) is None
            ):
                wrong.append(f"{name_of(page)}: {module}")
        elif words[1].endswith(".py") and not (REPOSITORY / words[1]).exists():
            wrong.append(f"{name_of(page)}: {words[1]}")
    assert wrong == []


def test_every_make_target_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    wrong = [
        f"{name_of(page)}: make {words[1]}"
        for page, words in commands("make")
        if len(words) > 1 and words[0] == "make" and words[1] not in targets and "=" not in words[1]
    ]
    assert wrong == []


def test_the_schema_that_is_printed_is_that_of_the_events() -> None:
    printed = subprocess.run(
        [sys.executable, "run_pipeline.py", "schema"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    assert json.loads(printed) == event_json_schema()


def test_the_table_of_actions_has_a_row_per_action(tmp_path: Path) -> None:
    from tests.pipeline.decided_items import make_event
    from tests.pipeline.poison import POISON

    kinds = ("start", "update", "end", "start")
    lines = [encode_event(make_event(n, kind)).encode() for n, kind in enumerate(kinds, start=1)]
    strange = [POISON[name] for name in ("nested_lists", "not_utf8", "a_null", "empty", "a_list")]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(strange + lines) + b"\n")
    printed = subprocess.run(
        [sys.executable, "examples/actions_to_csv.py", str(tmp_path / "events.jsonl")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.splitlines()
    assert len(printed) == 2


def test_the_readme_has_the_columns_of_a_table() -> None:
    assert ",".join(COLUMNS) in (REPOSITORY / "README.md").read_text()


@pytest.mark.parametrize("program", ["behaviour-stream", "python"])
def test_the_readme_types_the_programs_of_the_virtual_environment(program: str) -> None:
    readme = (REPOSITORY / "README.md").read_text()
    typed = re.findall(rf"^    (\S*{program})\b", readme, re.MULTILINE)
    assert set(typed) <= {f".venv/bin/{program}"}


def test_a_commit_is_checked_as_make_check_does() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    (recipe,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    hooks = (REPOSITORY / ".pre-commit-config.yaml").read_text()
    entries = re.findall(r"entry: (.*)", hooks)
    assert entries == [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()]
