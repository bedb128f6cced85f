"""`python -m training.recordings` as a user starts it."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from tests.conftest import write_video
from training.labels.label_files import read_samples
from training.recordings.__main__ import app


def test_clips_and_everyday_video_become_recordings_which_a_second_run_keeps(
    tmp_path: Path,
) -> None:
    times = [n / 10 for n in range(20)]
    for name in ("clips/fight/a.mp4", "quiet/hug/b.mp4"):
        (tmp_path / name).parent.mkdir(parents=True)
        write_video(tmp_path / name, times)
    write_video(tmp_path / "quiet" / "short.mp4", times[:5])
    output = tmp_path / "long"
    arguments = [output, "--data", tmp_path / "clips", "--everyday", tmp_path / "quiet"]
    command = [*map(str, arguments), "--shortest-s", "1.5"]
    first = CliRunner().invoke(app, command, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    printed = " ".join(first.output.split())
    assert "2 pieces, 0.1 minutes" in printed
    assert "short.mp4: 0.5 s are too short for a clip and a start" in printed
    rows = read_samples(output / "intervals.csv")
    assert {(one.labels, one.kind) for one in rows} == {(("fight",), None), (("hug",), "hug")}
    (recording,) = output.glob("*.mp4")
    written = recording.stat().st_mtime_ns
    assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
    assert recording.stat().st_mtime_ns == written


def test_without_data_it_says_what_to_give(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(tmp_path / "long")])
    assert result.exit_code == 2
    assert "give --data, --everyday or both" in " ".join(result.output.split())
