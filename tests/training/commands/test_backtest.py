from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from pipeline.events import decode_event
from pipeline.observations.retention import ObservationLimits
from pipeline.observations.writer import ObservationWriter
from tests.conftest import REPOSITORY
from tests.pipeline.observations.made_items import made_items, make_run
from training.commands.backtest import app

SENSITIVE = ["--set", "decision.start_threshold=0.5", "--set", "decision.end_threshold=0.3"]
STRICT = ["--set", "decision.start_threshold=0.97", "--set", "decision.end_threshold=0.9"]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    limits = ObservationLimits(30.0, 1e9, 10**9)
    writer = ObservationWriter(tmp_path / "kept", make_run(), limits, tolerant=False)
    for one in made_items(2, 60):
        writer.add(one)
    writer.close()
    return tmp_path / "kept"


def backtest(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_what_would_be_reported_is_printed_and_written(kept: Path, tmp_path: Path) -> None:
    result = backtest(kept, "--utc", "--output", tmp_path / "events.jsonl", *SENSITIVE)
    assert result.exit_code == 0, result.output
    assert "2 cameras" in result.output
    assert "Actions: " in result.output
    assert "2026-09-21 13:00" in result.output
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    events = [decode_event(line) for line in lines]
    for camera in ("camera 0/é", "camera 1/é"):
        numbers = [event.seq for event in events if event.camera_id == camera]
        assert numbers == list(range(1, len(numbers) + 1))


def test_a_stricter_configuration_shows_what_falls_away(kept: Path, tmp_path: Path) -> None:
    present = tmp_path / "present.yaml"
    present.write_text("decision: {start_threshold: 0.5, end_threshold: 0.3}\n")
    result = backtest(kept, "--against", present, *STRICT)
    assert result.exit_code == 0, result.output
    assert "against the other configuration" in result.output
    assert ", 0 removed" not in result.output
    same = backtest(kept, "--against", present, "--config", present)
    assert "0 added, 0 removed" in same.output


def test_labels_give_recall_precision_and_false_alarms(kept: Path, tmp_path: Path) -> None:
    labels = tmp_path / "intervals.csv"
    labels.write_text("camera,label,start,end\ncamera 0/é,walk,0,6\n")
    result = backtest(kept, "--labels", labels, *SENSITIVE)
    assert result.exit_code == 0, result.output
    assert "Judged by the labels" in result.output
    assert "cameras without labels, not judged: camera 1/é" in " ".join(result.output.split())


def test_a_damaged_file_is_named_and_the_rest_is_tested(kept: Path) -> None:
    damaged = sorted(kept.iterdir())[0]
    damaged.write_bytes(b"PAR1")
    result = backtest(kept, *SENSITIVE)
    assert result.exit_code == 1
    assert "Actions: " in result.output


def test_a_rule_that_cannot_alarm_on_what_was_kept_is_named(
    kept: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: {one: {action: fight, cameras: gaet}, two: {action: fight}}\n")
    assert backtest(kept, "--config", rules).exit_code == 0
    [text] = [text for text in caplog.messages if "rules." in text]
    assert text.startswith("rules.one: it applies to no camera of this run (camera 0/é, camera 1")


@pytest.mark.parametrize(("live", "warned"), [(False, ["camera 0/é", "camera 1/é"]), (True, [])])
def test_a_schedule_without_known_times_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, live: bool, warned: list[str]
) -> None:
    limits = ObservationLimits(30.0, 1e9, 10**9)
    writer = ObservationWriter(tmp_path / "kept", make_run(live=live), limits, tolerant=False)
    for one in made_items(3, 20):  # the third camera's times are known
        writer.add(one)
    writer.close()
    rules = tmp_path / "rules.yaml"
    night = "schedules: {night: {timezone: UTC, times: ['22:00-06:00']}}\n"
    rules.write_text(f"{night}rules: {{one: {{action: fight, schedule: night}}}}\n")
    assert backtest(tmp_path / "kept", "--config", rules).exit_code == 0
    texts = [text for text in caplog.messages if "no schedule holds" in text]
    assert [text.partition(": ")[0] for text in texts] == warned


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["KEPT", "--camera", "no*"], "no observations are of these cameras"),
        (["KEPT", "--from", "soon"], "--from soon: expected a time"),
        (["KEPT", "--alias", "x"], "--alias x: expected LABEL=NAME"),
        (["KEPT", "--set", "decision.per_action={figth: {min_gap_s: 1}}"], "did you mean fight"),
    ],
)
def test_mistakes_are_one_line(kept: Path, arguments: list[str], message: str) -> None:
    result = backtest(*(str(kept) if one == "KEPT" else one for one in arguments))
    assert result.exit_code in (1, 2)
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


@pytest.mark.slow
def test_no_model_is_loaded(kept: Path) -> None:
    program = (
        "import sys; from run_pipeline import app;"
        "app(['backtest', sys.argv[1], '--set', 'decision.start_threshold=0.5'],"
        " standalone_mode=False);"
        "sys.exit(bool({'torch', 'cv2', 'openvino', 'ultralytics', 'av'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program, str(kept)], cwd=REPOSITORY, check=True)
