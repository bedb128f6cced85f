from __future__ import annotations

from pathlib import Path

import pytest

from training.labels.intervals import read_intervals
from training.labels.samples import DataError


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "intervals.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_seconds_and_open_ends(tmp_path: Path) -> None:
    found = read_intervals(
        write(tmp_path, "camera,label,start,end", "gate,fight,1.5,3", "yard,nothing,,")
    )
    first, second = found.intervals
    assert (first.camera_id, first.label, first.start_s, first.end_s) == ("gate", "fight", 1.5, 3)
    assert (second.start_s, second.end_s) == (None, None)
    assert (found.are_times_of_day, found.cameras) == (False, ("gate", "yard"))


def test_times_of_day_with_and_without_an_offset(tmp_path: Path) -> None:
    row = "gate;fight;2026-11-25T10:00:00+01:00;2026-11-25T09:00:05Z"
    found = read_intervals(write(tmp_path, "camera;label;start;end", row))
    [one] = found.intervals
    assert found.are_times_of_day
    assert (one.start_s, one.end_s) == (1795597200.0, 1795597205.0)


def test_a_path_names_the_camera_that_replay_makes_of_it(tmp_path: Path) -> None:
    found = read_intervals(write(tmp_path, "path,label", "videos/fi001.mp4,fight"))
    assert found.cameras == ("fi001",)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["when,label", "1,fight"], "needs the columns camera"),
        (["camera,label,start", "gate,fight,soon"], r"csv:2: start: .*got 'soon'"),
        (["camera,label,start", "gate,fight,nan"], "csv:2: start"),
        (["camera,label,start,end", "gate,fight,3,2"], "csv:2: end 2 is not after start 3"),
        (["camera,label", "gate,"], "csv:2: label: missing"),
        (["camera,label,start", "a,x,1", "a,x,2026-11-25"], r"csv:2 has seconds, .*csv:3"),
        (["camera,label,start,end", "a,x,1,2026-11-25"], "both be seconds, or both"),
        (["camera,label"], "no intervals"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_intervals(write(tmp_path, *lines))
