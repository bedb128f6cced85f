from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.piece_order import arrange_pieces, time_in_path
from pipeline.sources.video_files import VideoFile


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as context:
        context.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("2026-11-25T10:00:00.mp4", "2026-11-25T10:00:00"),  # ISO 8601
        ("2026-11-25T10:00:00Z.mp4", "2026-11-25T10:00:00"),
        ("2026-11-25T10:00:00+01:00.mp4", "2026-11-25T09:00:00"),
        ("2026-11-25_10-00-00-123456.mp4", "2026-11-25T10:00:00.123456"),  # mediamtx
        ("2026-11-25 10-00-00.mkv", "2026-11-25T10:00:00"),  # OBS
        ("20261125100000.dav", "2026-11-25T10:00:00"),
        ("ch01_20261125100000.mp4", "2026-11-25T10:00:00"),  # Hikvision
        ("Camera1_00_20261125100000.mp4", "2026-11-25T10:00:00"),  # Reolink
        ("Cam.20261125_100000.mp4", "2026-11-25T10:00:00"),  # Blue Iris
        ("VID_20261125_100000_2.mp4", "2026-11-25T10:00:00"),  # a phone
        ("2026.11.25-10.00.00.mp4", "2026-11-25T10:00:00"),
        ("gate-1795600800.mp4", "2026-11-25T10:00:00"),
        ("unifi_1795600800500.mp4", "2026-11-25T10:00:00.5"),
        ("recordings/2026-11-25/10/gate/05.20.mp4", "2026-11-25T10:05:20"),  # Frigate
        ("2026/11/25/10/05.20.mp4", "2026-11-25T10:05:20"),
        ("2026/11/25/10/05.mp4", "2026-11-25T10:05:00"),
        ("2026-11-25/001/dav/10/10.05.20-10.10.00[M][0@0][0].dav", "2026-11-25T10:05:20"),  # Dahua
        ("2026-11-25/gate/10-05-20.mp4", "2026-11-25T10:05:20"),
        ("cam2/gate_2026-11-25_10-00.mp4", "2026-11-25T10:00:00"),
        ("1_01_20261125100000123_TIMING.mp4", "2026-11-25T10:00:00.123"),
        ("rec-2026-11-25-10-00-00-0500.mp4", "2026-11-25T10:00:00"),  # a counter, no offset
        ("Screen Recording 2026-11-25 at 10.00.00.mov", "2026-11-25T10:00:00"),
    ],
)
def test_recorders_names_are_times(path: str, expected: str) -> None:
    assert time_in_path(Path(path)) == pytest.approx(utc(expected))


@pytest.mark.parametrize(
    "path",
    [
        "gate.mp4",
        "segm01.mp4",
        "2026-11-25.mp4",  # a day is no time
        "2026-02-30T10:00:00.mp4",
        "VID-20261125-WA0001.mp4",  # a messenger's counter
        "1080p_60fps_1920x1080.mp4",
        "192.168.1.20/gate.mp4",
        "caf\udce9\n.mp4",
    ],
)
def test_other_names_are_none(path: str) -> None:
    assert time_in_path(Path(path)) is None


@given(st.text(st.characters(categories=("Nd", "P", "Z", "L", "Cs")), min_size=1, max_size=60))
def test_no_name_is_an_error(name: str) -> None:
    time_in_path(Path(name))


def arranged(
    names: list[str], created: dict[str, float] | None = None, folder: Path = Path()
) -> tuple[list[str], tuple[float | None, ...], str]:
    known = created or {}
    videos = [VideoFile(str(n), folder / name) for n, name in enumerate(names)]
    done = arrange_pieces("gate", videos, lambda path: known.get(path.name))
    assert done.recording.camera_id == "gate"
    names = [piece.path.name for piece in done.recording.pieces]
    return names, done.recording.starts_at, done.ordered_by


def test_times_in_names_come_first_and_give_the_distances() -> None:
    names, starts_at, how = arranged(
        ["20261125_110000.mp4", "20261125_100000.mp4"], {"20261125_110000.mp4": 1.0}
    )
    assert names == ["20261125_100000.mp4", "20261125_110000.mp4"]
    assert starts_at == (utc("2026-11-25T10:00:00"), utc("2026-11-25T11:00:00"))
    assert how == "the times in their names"


def test_then_the_creation_times_of_the_containers() -> None:
    names, starts_at, how = arranged(["a.mp4", "b.mp4"], {"a.mp4": 70.0, "b.mp4": 10.0})
    assert (names, starts_at) == (["b.mp4", "a.mp4"], (10.0, 70.0))
    assert how == "the creation times in their containers"


@pytest.mark.parametrize(
    ("created", "asked"),
    [
        ([3.0, 1.0, 2.0], ["a.mp4", "b.mp4", "c.mp4"]),
        ([3.0, 3.0, 2.0], ["a.mp4", "b.mp4"]),
        ([3.0, None, 2.0], ["a.mp4", "b.mp4"]),
        ([None, 1.0, 2.0], ["a.mp4"]),
    ],
)
def test_each_container_is_opened_once_and_only_while_it_can_order(
    created: list[float | None], asked: list[str]
) -> None:
    opened = []

    def created_at(path: Path) -> float | None:
        opened.append(path.name)
        return created["abc".index(path.stem)]

    arrange_pieces("gate", [VideoFile(name, Path(f"{name}.mp4")) for name in "abc"], created_at)
    assert opened == asked


def test_then_numbers_as_numbers() -> None:
    created = {f"s{n}.mp4": 5.0 for n in range(12)}  # ffmpeg copies one time into all segments
    names, starts_at, how = arranged(["s10.mp4", "s9.mp4", "s1.mp4"], created)
    assert names == ["s1.mp4", "s9.mp4", "s10.mp4"]
    assert starts_at == (None, None, None)
    assert how == "the number in their names"


def test_names_that_differ_in_several_numbers_are_not_ordered_by_them(tmp_path: Path) -> None:
    names = ["10-00_25-11-2026.mp4", "09-00_26-11-2026.mp4"]
    for number, name in enumerate(names):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 + number, 1000 + number))
    assert arranged(names, folder=tmp_path)[::2] == (
        names,
        "the times at which they were changed last",
    )


def test_then_the_time_of_the_last_change(tmp_path: Path) -> None:
    for age, name in enumerate(["new.mp4", "old.mp4"]):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    names, _, how = arranged(["new.mp4", "old.mp4"], folder=tmp_path)
    assert names == ["old.mp4", "new.mp4"]
    assert how == "the times at which they were changed last"


def test_two_pieces_of_one_time_are_not_ordered_by_it(tmp_path: Path) -> None:
    names = ["a_20261125_100000.mp4", "b_20261125_100000.mp4"]
    for name in names:
        (tmp_path / name).touch()
    assert arranged(names, folder=tmp_path)[2] == "the times at which they were changed last"


def test_a_piece_that_is_not_there_comes_last_and_fails_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "b.mp4").touch()
    assert arranged(["a.mp4", "b.mp4"], folder=tmp_path)[0] == ["b.mp4", "a.mp4"]
    assert arranged(["a.mp4"], folder=tmp_path)[0] == ["a.mp4"]
