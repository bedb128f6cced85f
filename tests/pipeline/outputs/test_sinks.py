"""Files hold all decided events and tracks, also when a run is cut short."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.events import decode_event
from pipeline.outputs.sinks import ClosingSink, JsonLinesSink, MotTracksSink, file_name
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
    with pytest.raises(PipelineError, match=r"/dev/full: No space left"):
        sink.close()


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
