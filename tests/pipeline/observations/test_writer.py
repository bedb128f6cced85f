from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.observations import writer as module
from pipeline.observations.file_names import files_in, hour_of, name_of, parse_name
from pipeline.observations.reader import (
    ObservationReader,
    ObservationSelection,
    find_files,
)
from pipeline.observations.recorded_run import NumberedItem
from pipeline.observations.retention import ObservationLimits, remove_excess
from pipeline.observations.writer import ObservationWriter
from pipeline.types import RecognizedFrame, StreamEnd
from tests.pipeline.observations.made_items import (
    HOUR_S,
    STARTED_AT,
    comparable,
    made_items,
    make_recognized,
    make_run,
)

LIMITS = ObservationLimits(flush_s=30.0, max_age_s=1e9, max_bytes=10**9)


def open_writer(folder: Path, *, tolerant: bool = False, **changes: Any) -> ObservationWriter:
    run = make_run(**{key: changes.pop(key) for key in ("recording",) if key in changes})
    limits = replace(LIMITS, **changes)
    return ObservationWriter(folder, run, limits, tolerant=tolerant)


def read_all(folder: Path) -> list[NumberedItem]:
    reader = ObservationReader(find_files([str(folder)]), ObservationSelection())
    items = [one for each in reader.recordings for one in reader.items(each)]
    assert not reader.errors
    return items


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(writer: ObservationWriter, items: Iterable[NumberedItem]) -> None:
    for one in items:
        writer.add(one)


def test_a_run_is_read_back_in_its_order_over_hours_cameras_and_a_reconnect(
    tmp_path: Path,
) -> None:
    items = made_items()
    writer = open_writer(tmp_path / "kept")
    for start in range(0, len(items), 37):
        write(writer, items[start : start + 37])
        writer.flush()
    writer.close()
    # The camera without an end gets one: its process was killed.
    found = read_all(tmp_path / "kept")
    [made] = [one for one in found if one.camera_id == "camera 0/é" and is_end(one)]
    assert made.item == StreamEnd("camera 0/é", "interrupted")
    found.remove(made)
    assert list(map(comparable, found)) == list(map(comparable, items))


def is_end(one: NumberedItem) -> bool:
    return isinstance(one.item, StreamEnd)


def test_an_hour_is_one_file_and_small_closed_ones_while_it_lasts(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    for index in range(3):
        writer.add(NumberedItem(index, make_recognized(index)))
        writer.flush()
    assert [one.is_part for one in files_in(tmp_path)] == [True] * 3
    writer.add(NumberedItem(3, make_recognized(3, seen_at=STARTED_AT + HOUR_S)))
    writer.flush()
    files = sorted(files_in(tmp_path), key=lambda one: one.order)
    assert [(one.first_item, one.is_part) for one in files] == [(0, False), (3, True)]
    writer.close()
    assert [one.is_part for one in files_in(tmp_path)] == [False, False]
    assert len(read_all(tmp_path)) == 5  # with the end


def test_a_killed_process_loses_what_it_had_not_flushed_and_nothing_else(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    items = made_items(1)
    write(writer, items[:50])
    writer.flush()
    write(writer, items[50:])
    (tmp_path / ".gate_half.parquet.writing").write_bytes(b"PAR1")
    found = read_all(tmp_path)  # without any close
    assert list(map(comparable, found[:-1])) == list(map(comparable, items[:50]))
    assert found[-1].item == StreamEnd("camera 0/é", "interrupted")


def test_a_process_killed_while_it_put_an_hour_together_gives_no_frame_twice(
    tmp_path: Path,
) -> None:
    items = made_items(1)
    writer = open_writer(tmp_path)
    write(writer, items[:20])
    writer.flush()
    parts = {path: path.read_bytes() for path in tmp_path.iterdir()}
    write(writer, items[20:])
    writer.close()
    for path, content in parts.items():
        path.write_bytes(content)  # as if they had not been deleted yet
    assert list(map(comparable, read_all(tmp_path)[:-1])) == list(map(comparable, items))


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "kept")
    write(writer, made_items(1, 3))
    writer.close()
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    for path in (tmp_path / "kept").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_camera_id_cannot_leave_the_folder(tmp_path: Path) -> None:
    for camera_id in ("..", "../../etc/passwd", "a" * 300, "/", "é\0b"):
        path = tmp_path / name_of(camera_id, 497222, "20260921T125957Z-0", 12, is_part=True)
        assert path.parent == tmp_path
        named = parse_name(path)
        assert named is not None
        assert (named.hour, named.first_item, named.is_part) == ("2026-09-21T14", 12, True)
    assert parse_name(tmp_path / "events.parquet") is None
    assert parse_name(tmp_path / name_of("a", hour_of(1e18), "r", 0, is_part=False)) is not None


def test_old_files_and_those_beyond_the_size_are_deleted_oldest_first(tmp_path: Path) -> None:
    for n in range(4):
        path = tmp_path / name_of("gate", n, "20260921T125957Z-0", n, is_part=False)
        path.write_bytes(bytes(100))
        os.utime(path, (1000.0 + n, 1000.0 + n))
    (tmp_path / "mine.parquet").write_bytes(bytes(1000))
    assert remove_excess(tmp_path, replace(LIMITS, max_age_s=3.5), 1004.0) == 1
    assert remove_excess(tmp_path, replace(LIMITS, max_bytes=150), 1004.0) == 2
    assert [one.first_item for one in files_in(tmp_path)] == [3]
    assert (tmp_path / "mine.parquet").exists()


def test_what_a_killed_process_was_writing_is_deleted_an_hour_later(tmp_path: Path) -> None:
    name = name_of("gate", 1, "20260921T125957Z-0", 1, is_part=False)
    half = tmp_path / f".{name}.writing"
    half.write_bytes(b"PAR1")
    written_at = half.stat().st_mtime
    remove_excess(tmp_path, LIMITS, written_at + 60)
    assert half.exists()
    remove_excess(tmp_path, LIMITS, written_at + 3700)
    assert not half.exists()


def test_the_folder_stays_below_its_size_while_it_is_written(tmp_path: Path) -> None:
    writer = open_writer(tmp_path, max_bytes=20_000)
    for n, one in enumerate(made_items(2, 200)):
        writer.add(one)
        if n % 50 == 0:
            writer.flush()
    writer.close()
    assert 0 < sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20_000


def test_a_disk_that_cannot_be_written_ends_a_replay_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"a file")
    writer = open_writer(tmp_path / "kept")
    writer.add(NumberedItem(0, make_recognized()))
    with pytest.raises(PipelineError, match=r"cannot write .*kept"):
        writer.close()


def test_frames_wait_for_a_disk_of_a_live_run_and_are_written_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocker = tmp_path / "kept"
    blocker.write_bytes(b"a file")
    items = made_items()
    writer = open_writer(blocker, tolerant=True)
    write(writer, items[:100])
    writer.flush()
    writer.flush()
    assert writer.disk_error is not None
    assert caplog.text.count("cannot write") == 1  # reported once
    blocker.unlink()
    write(writer, items[100:])
    writer.close()
    assert (writer.disk_error, writer.missing) == (None, 0)
    assert "can be written again" in caplog.text
    assert len(read_all(blocker)) == len(items) + 1


def test_what_cannot_wait_any_longer_is_counted_and_no_end_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    monkeypatch.setattr(module, "MOST_WAITING_ROWS", 6)
    blocker = tmp_path / "kept"
    blocker.write_bytes(b"a file")
    writer = open_writer(blocker, tolerant=True)
    for n in range(10):
        writer.add(NumberedItem(n, make_recognized(n, ended=(n,))))
    blocker.unlink()
    writer.flush()
    writer.add(NumberedItem(10, make_recognized(10)))
    writer.add(NumberedItem(11, StreamEnd("gate")))
    writer.close()
    found = read_all(blocker)
    frames = [one.item for one in found if isinstance(one.item, RecognizedFrame)]
    assert writer.missing == 12 - len(found) > 0
    assert sorted(n for frame in frames for n in frame.tracked.ended) == list(range(10))
    assert found[-1].item == StreamEnd("gate")


def test_two_runs_can_keep_into_one_folder(tmp_path: Path) -> None:
    for recording in ("20260921T125957Z-a", "20260921T125957Z-b"):
        writer = open_writer(tmp_path, recording=recording)
        write(writer, made_items(1, 5))
        writer.close()
    reader = ObservationReader(find_files([str(tmp_path)]), ObservationSelection())
    assert [len(list(reader.items(each))) for each in reader.recordings] == [6, 6]


def test_a_part_that_cannot_be_read_again_stops_nothing(tmp_path: Path) -> None:
    writer = open_writer(tmp_path, tolerant=True)
    items = made_items(cameras=1, frames=40)
    write(writer, items[:20])
    writer.flush()
    [part] = tmp_path.iterdir()
    part.rename(tmp_path / "content")
    part.mkdir()  # reading it is an OSError, as of a bad sector
    write(writer, items[20:])
    writer.close()
    assert writer.disk_error is None
    part.rmdir()
    (tmp_path / "content").rename(part)
    *found, made = read_all(tmp_path)
    assert [one.number for one in found] == [one.number for one in items]
    assert is_end(made)
