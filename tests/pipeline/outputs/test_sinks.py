"""Files hold all decided events and tracks, also when a run is cut short."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.events import decode_event, encode_event
from pipeline.outputs.sinks import ClosingSink, JsonLinesSink, MotTracksSink, file_name
from pipeline.types import DecidedEnd, StreamEnd
from tests.pipeline.decided_items import make_end, make_event, make_item, make_person


def test_json_lines_hold_every_event_in_the_order_of_the_stream(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "events.jsonl"
    first, second, last = make_event(1), make_event(2, "update"), make_event(3, "end")
    with JsonLinesSink(path) as sink:
        sink.write(make_item(0, events=[first, second]))
        sink.write(make_item(1))
        sink.write(make_end(events=[last]))

    lines = path.read_text().splitlines()
    assert [decode_event(line) for line in lines] == [first, second, last]


def test_json_lines_are_in_the_file_before_the_next_item(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with JsonLinesSink(path) as sink:
        sink.write(make_item(events=[make_event(1)]))
        assert decode_event(path.read_text()) == make_event(1)


def test_json_lines_replace_what_an_earlier_run_wrote(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("old\n")
    with JsonLinesSink(path):
        pass
    assert path.read_bytes() == b""


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(PipelineError, match=r"cannot write .*folder"):
        JsonLinesSink(tmp_path / "folder")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_that_names_the_file() -> None:
    sink = JsonLinesSink(Path("/dev/full"))
    with pytest.raises(PipelineError, match=r"/dev/full: No space left"):
        sink.write(make_item(events=[make_event(1)]))
    sink.close()  # nothing of it is buffered


class FullDisk:
    """Takes the first bytes of a write, and no more while it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free: int | None = None
        self._write = os.write
        monkeypatch.setattr("pipeline.outputs.json_lines_file.os.write", self.write)

    def write(self, fd: int, data: bytes) -> int:
        if self.free is None:
            return self._write(fd, data)
        if self.free == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = self._write(fd, data[: self.free])
        self.free -= count
        return count


def test_a_full_disk_takes_whole_events_or_none_and_ends_no_live_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disk, path = FullDisk(monkeypatch), tmp_path / "events.jsonl"
    with JsonLinesSink(path, keep=True, tolerant=True) as sink:
        sink.write(make_item(events=[make_event(1)]))
        disk.free = 100
        sink.write(make_item(events=[make_event(2), make_event(3)]))
        sink.write(make_item(events=[make_event(4)]))
        assert "No space left" in (sink.disk_error or "")
        disk.free = None
        sink.write(make_item(events=[make_event(5)]))
        assert (sink.disk_error, sink.missing) == (None, 3)
    assert [decode_event(line).seq for line in path.read_text().splitlines()] == [1, 5]
    assert caplog.text.count("events.jsonl: No space left on device") == 1
    assert "it lacks 3 events" in caplog.text


def test_a_part_of_a_line_that_cannot_be_taken_back_swallows_no_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    disk, path = FullDisk(monkeypatch), tmp_path / "events.jsonl"
    with JsonLinesSink(path, tolerant=True) as sink:
        disk.free = 100
        with monkeypatch.context() as patched:
            patched.setattr("pipeline.outputs.json_lines_file.os.ftruncate", refuse)
            sink.write(make_item(events=[make_event(1)]))
        disk.free = None
        sink.write(make_item(events=[make_event(2)]))
    torn, whole = path.read_text().splitlines()
    assert len(torn) == 100
    assert decode_event(whole).seq == 2


def test_a_live_run_begins_on_a_full_disk_and_other_errors_are_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "events.jsonl"
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.outputs.output_lock.create_private_file", refuse)
        with pytest.raises(PipelineError, match="No space left"):
            JsonLinesSink(path)
        sink = JsonLinesSink(path, tolerant=True)
        sink.write(make_item(events=[make_event(1)]))
        assert sink.disk_error is not None
    sink.write(make_item(events=[make_event(2)]))
    sink.close()
    assert decode_event(path.read_text()).seq == 2
    (tmp_path / "folder").mkdir()
    with pytest.raises(PipelineError, match="folder"):
        JsonLinesSink(tmp_path / "folder", tolerant=True)


@pytest.mark.parametrize("keep", [True, False])
def test_a_second_run_with_the_same_output_is_refused_with_the_name_of_the_first(
    tmp_path: Path, keep: bool
) -> None:
    path = tmp_path / "events.jsonl"
    with JsonLinesSink(path) as sink:
        sink.write(make_item(events=[make_event(1)]))
        with pytest.raises(PipelineError) as refusal:
            JsonLinesSink(path, keep=keep, tolerant=True)
        assert str(refusal.value).splitlines() == [
            f"cannot write {path}: another run (process {os.getpid()}) is writing it; "
            "wait for its end, or give this run another --output"
        ]
        sink.write(make_item(events=[make_event(2)]))
    assert len(path.read_text().splitlines()) == 2
    JsonLinesSink(path, keep=True).close()


def test_tracks_of_a_second_run_are_refused_before_they_replace_those_of_the_first(
    tmp_path: Path,
) -> None:
    people = [make_person(1, (0, 0, 2, 2))]
    with MotTracksSink(tmp_path) as first, MotTracksSink(tmp_path) as second:
        first.write(make_item(people=people))
        second.write(make_item(people=people))
        [error] = second.errors
        assert "gate.txt: another run (process " in error
    assert (tmp_path / "gate.txt").read_text().startswith("1,1,")


@pytest.mark.parametrize(
    ("tail", "is_kept"),
    [
        (b'{"schema":4,"event_id":"run/gate/2","cam', False),
        (b"\0" * 300, False),  # what some file systems leave of a power cut
        (b"\xff\xfe", False),
        (encode_event(make_event(2)).encode(), True),  # only the end of the line is missing
        (b"", True),
    ],
)
def test_a_torn_last_line_does_not_swallow_the_next_event(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, tail: bytes, is_kept: bool
) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(f"{encode_event(make_event(1))}\n".encode() + tail)
    with JsonLinesSink(path, keep=True) as sink:
        sink.write(make_item(events=[make_event(3)]))
    numbers = [decode_event(line).seq for line in path.read_text().splitlines()]
    assert numbers == ([1, 2, 3] if is_kept and tail else [1, 3])
    torn = tmp_path / "events.jsonl.torn"
    assert torn.exists() == (not is_kept)
    if not is_kept:
        assert torn.read_bytes() == tail + b"\n"
        assert "ended in the middle of a line" in caplog.text


def test_a_file_that_is_one_long_torn_line_is_repaired(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"x" * 200_000)
    with JsonLinesSink(path, keep=True) as sink:
        sink.write(make_item(events=[make_event(1)]))
    assert decode_event(path.read_text()).seq == 1
    assert (tmp_path / "events.jsonl.torn").stat().st_size == 200_001


def test_a_torn_line_that_cannot_be_moved_ends_before_the_next_event(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"torn')
    (tmp_path / "events.jsonl.torn").mkdir()
    with JsonLinesSink(path, keep=True) as sink:
        sink.write(make_item(events=[make_event(1)]))
    assert decode_event(path.read_text().splitlines()[1]).seq == 1


def test_mot_lines_count_frames_from_one_and_give_left_top_width_height(tmp_path: Path) -> None:
    with MotTracksSink(tmp_path / "tracks") as sink:
        sink.write(make_item(0, people=[make_person(9, (499, 158, 530.03, 233.17), 0.876)]))
        sink.write(make_item(1))
        sink.write(
            make_item(4, people=[make_person(9, (1, 2, 3, 4)), make_person(12, (0, 0, 5, 6))])
        )
        sink.write(make_end())

    assert (tmp_path / "tracks" / "gate.txt").read_text() == (
        "1,9,499.00,158.00,31.03,75.17,0.88,-1,-1,-1\n"
        "5,9,1.00,2.00,2.00,2.00,0.90,-1,-1,-1\n"
        "5,12,0.00,0.00,5.00,6.00,0.90,-1,-1,-1\n"
    )


def test_every_camera_has_a_mot_file_of_its_own(tmp_path: Path) -> None:
    with MotTracksSink(tmp_path) as sink:
        sink.write(make_item(camera_id="a", people=[make_person(1, (0, 0, 2, 2))]))
        sink.write(make_item(camera_id="b"))
        sink.write(make_end("a"))
        assert (tmp_path / "a.txt").read_text().startswith("1,1,")  # complete at the camera's end
        sink.write(make_item(1, camera_id="b", people=[make_person(3, (0, 0, 2, 2))]))
        sink.write(make_end("never seen"))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]
    assert (tmp_path / "b.txt").read_text().startswith("2,3,")


def test_a_run_cut_short_leaves_the_lines_so_far(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), MotTracksSink(tmp_path) as sink:
        sink.write(make_item(people=[make_person(1, (0, 0, 2, 2))]))
        raise KeyboardInterrupt
    assert len((tmp_path / "gate.txt").read_text().splitlines()) == 1


@pytest.mark.parametrize("camera_id", ["gate", "Straße 1", "../../etc/passwd", "a/b", "a%2Fb", "."])
def test_a_camera_id_cannot_leave_the_directory(camera_id: str, tmp_path: Path) -> None:
    assert (tmp_path / file_name(camera_id, ".txt")).parent == tmp_path
    assert "/" not in file_name(camera_id, ".txt")


def test_a_name_that_is_too_long_for_a_file_is_cut_and_stays_unique(tmp_path: Path) -> None:
    ids = ["%" * 100 + end for end in "ab"] + ["門" * 90, "x" * 251, "x" * 252, "\udce9" * 300]
    names = [file_name(camera_id, ".txt") for camera_id in ids]
    assert len(set(names)) == len(ids)
    assert all(len(os.fsencode(name)) <= 255 and name.endswith(".txt") for name in names)
    assert names[3] == "x" * 251 + ".txt"  # it just fits
    for name in names:
        (tmp_path / name).touch()


def test_different_cameras_never_share_a_file() -> None:
    ids = ["a/b", "a%2Fb", "a_b", "a\\b", "a%b"]
    assert len({file_name(camera_id, ".txt") for camera_id in ids}) == len(ids)


@pytest.mark.parametrize("kind", ["json lines", "tracks"])
def test_closing_twice_does_nothing_more(kind: str, tmp_path: Path) -> None:
    sink: ClosingSink = (
        JsonLinesSink(tmp_path / "e.jsonl") if kind == "json lines" else MotTracksSink(tmp_path)
    )
    sink.write(make_item(people=[make_person(1, (0, 0, 2, 2))], events=[make_event(1)]))  # type: ignore[attr-defined]
    sink.close()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    sink.close()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_interruption_does_not_begin_a_cameras_tracks_again(tmp_path: Path) -> None:
    with MotTracksSink(tmp_path) as sink:
        sink.write(make_item(0, people=[make_person(1, (1, 2, 3, 4))]))
        sink.write(DecidedEnd(StreamEnd("gate", "stalled", at=1.0), ()))
        sink.write(make_item(1, people=[make_person(2, (1, 2, 3, 4))]))
    lines = (tmp_path / "gate.txt").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines] == [["1", "1"], ["2", "2"]]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_tracks_on_a_full_disk_are_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "gate.txt").symlink_to("/dev/full")
    with MotTracksSink(tmp_path) as sink:
        for n in range(400):  # more than is buffered, a part of which closing writes again
            sink.write(make_item(n, people=[make_person(1, (1, 2, 3, 4))]))
        assert len(sink.errors) == 1
    assert len(sink.errors) == len(caplog.records) == 1


def test_tracks_that_cannot_be_written_cost_themselves_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with MotTracksSink(tmp_path) as sink:
        for camera_id in ("a", "b", "a", "b"):
            sink.write(make_item(camera_id=camera_id, people=[make_person(1, (1, 2, 3, 4))]))
    [error] = sink.errors
    assert f"{tmp_path}/a.txt" in error
    assert len((tmp_path / "b.txt").read_text().splitlines()) == 2
