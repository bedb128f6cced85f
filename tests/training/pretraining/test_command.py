"""The command line of pretraining."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

import training.pretraining.run
from training.pretraining.command import main
from training.pretraining.run import PretrainingRequest

APP = typer.Typer()
APP.command()(main)


def test_options_become_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[PretrainingRequest] = []
    monkeypatch.setattr(
        training.pretraining.run, "pretrain", lambda request, echo: seen.append(request)
    )
    words = (
        "--data a.csv --data b.csv --output o.safetensors --frame-teacher f.xml --set loop.seed=3"
    )
    assert CliRunner().invoke(APP, words.split()).exit_code == 0
    [request] = seen
    assert [str(path) for path in request.data] == ["a.csv", "b.csv"]
    assert [str(path) for path in request.frame_teachers] == ["f.xml"]
    assert request.stream_teachers == ()
    assert request.settings == ("loop.seed=3",)
    assert request.steps == 2000


def test_a_mistake_is_one_line_without_a_traceback() -> None:
    done = CliRunner().invoke(APP, ["--data", "a.csv", "--output", "o.safetensors"])
    assert done.exit_code == 2
    assert "--frame-teacher or --stream-teacher" in done.output
    assert "Traceback" not in done.output
