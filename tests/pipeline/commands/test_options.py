from __future__ import annotations

import logging
from pathlib import Path
from typing import get_type_hints

import pytest
import typer

import run_pipeline
from pipeline.commands.options import (
    PrintableFormatter,
    at_home,
    explained_errors,
    load,
    missing_package,
    parse_time,
)
from pipeline.errors import ConfigError, EventStoreError


@pytest.mark.parametrize(
    ("error", "code"),
    [(ConfigError("x"), 2), (EventStoreError("x"), 1), (KeyboardInterrupt(), 130)],
)
def test_an_error_ends_the_command_with_its_code(error: BaseException, code: int) -> None:
    with pytest.raises(typer.Exit) as caught, explained_errors():
        raise error
    assert caught.value.exit_code == code


def test_every_path_of_the_command_line_may_begin_with_a_tilde(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/operator")
    paths = 0
    for group in run_pipeline.app.registered_groups:
        for command in group.typer_instance.registered_commands:
            for name, kind in get_type_hints(command.callback, include_extras=True).items():
                if "pathlib.Path" in str(getattr(kind, "__origin__", "")):
                    [given] = kind.__metadata__
                    assert given.callback is at_home, f"{command.callback}: {name}"
                    paths += 1
    assert paths > 20
    assert at_home(Path("~/a")) == Path("/home/operator/a")
    assert at_home([Path("~"), Path("b")]) == [Path("/home/operator"), Path("b")]


def test_a_log_line_and_an_error_move_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    formatter = PrintableFormatter("%(levelname)s %(message)s")
    record = logging.LogRecord("x", logging.INFO, "", 0, "%s", ("a\x1b[2J\udce9",), None)
    assert formatter.format(record) == r"INFO a\x1b[2J\udce9"
    with pytest.raises(typer.Exit), explained_errors():
        raise ConfigError("first: \x1b[2J\nsecond")
    assert capsys.readouterr().err == "error: first: \\x1b[2J\nsecond\n"


@pytest.mark.parametrize(
    ("module", "extra", "named"),
    [
        ("torch", "pipeline", "[pipeline]"),
        ("torch", "train", "[train]"),
        ("lightning_fabric", "pipeline", "[train]"),
        ("deep_sort_realtime", "pipeline", "[deepsort]"),
        ("onnxruntime", "pipeline", "[onnx]"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(module: str, extra: str, named: str) -> None:
    text = missing_package(module, extra)
    assert module in text
    assert f"pip install 'behaviour-stream{named}'" in text


def test_a_missing_ultralytics_is_named_with_its_licence_and_the_way_without() -> None:
    text = missing_package("ultralytics", "pipeline")
    assert "[yolo]" in text
    assert "AGPL-3.0" in text
    assert "detector.weights=builtin" in text


def test_a_module_of_ours_that_is_missing_is_a_bug() -> None:
    with pytest.raises(ModuleNotFoundError), explained_errors():
        raise ModuleNotFoundError("No module named 'pipeline.x'", name="pipeline.x")


def test_the_commands_own_options_beat_settings_and_nothing_secret_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = "redis://:hunter2@h/0"
    with caplog.at_level(logging.INFO):
        config = load(None, ["redis.url=none", "output=x"], tmp_path, url)
    assert (config.redis.url, config.output) == (url, tmp_path)
    assert "hunter2" not in caplog.text


def test_a_configuration_that_ships_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load(Path("configs/alarms.yaml"), None, None, None)
    assert config.decision.for_action("fight").start_threshold == 0.7


def test_a_start_time_is_iso_8601() -> None:
    assert parse_time("--start-time", "2026-11-25T10:00:00+01:00") == 1795597200.0
    assert parse_time("--start-time", "2026-11-25 09:00Z") == 1795597200.0
    with pytest.raises(ConfigError, match=r"--start-time yesterday: expected a time like"):
        parse_time("--start-time", "yesterday")
