from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipeline.commands.recording_list import (
    find_recordings,
    warning_of_unknown_times,
)
from pipeline.errors import ConfigError
from pipeline.sources.file_decoder import VideoInfo
from pipeline.sources.recordings import Recording
from pipeline.sources.video_files import VideoFile


def found(
    videos: list[str], cameras: list[str], *, start_at: float | None = None
) -> tuple[Recording, ...]:
    return find_recordings(
        videos, cameras, recursive=False, start_at=start_at, container_time=False
    )


def pieces(recordings: tuple[Recording, ...]) -> dict[str, list[str]]:
    return {one.camera_id: [piece.path.name for piece in one.pieces] for one in recordings}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("20261125_100100.mp4", "20261125_100000.mp4"):
        for camera in ("gate", "yard"):
            (tmp_path / camera).mkdir(exist_ok=True)
            (tmp_path / camera / name).touch()
    return tmp_path


def test_without_a_camera_each_file_is_one(folder: Path) -> None:
    assert pieces(found([f"{folder}/gate"], [])) == {
        "20261125_100000": ["20261125_100000.mp4"],
        "20261125_100100": ["20261125_100100.mp4"],
    }


def test_a_camera_is_made_of_all_videos_and_said(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        recordings = found([f"{folder}/gate/*.mp4"], ["gate"])
    assert pieces(recordings) == {"gate": ["20261125_100000.mp4", "20261125_100100.mp4"]}
    assert "gate: 2 pieces in the order of the times in their names" in caplog.text


def test_several_cameras_have_their_own_videos(folder: Path) -> None:
    recordings = found(
        [f"{folder}/gate/20261125_100100.mp4"],
        [f"gate={folder}/gate", f"yard={folder}/yard/20261125_100000.mp4"],
    )
    assert [(one, len(names)) for one, names in pieces(recordings).items()] == [
        ("gate", 2),
        ("yard", 1),
        ("20261125_100100", 1),
    ]


def test_a_start_time_moves_the_pieces_and_keeps_their_distances(folder: Path) -> None:
    [recording] = found([f"{folder}/gate"], ["gate"], start_at=1000.0)
    assert recording.starts_at == (1000.0, 1060.0)
    [alone] = found([f"{folder}/gate/20261125_100000.mp4"], [], start_at=1000.0)
    assert alone.starts_at == (1000.0,)


@pytest.mark.parametrize(
    ("videos", "cameras", "message"),
    [
        ([], [], "no video"),
        ([], ["gate"], "name its videos"),
        (["a.mp4"], ["gate", "yard"], "give it once"),
        (["a.mp4"], ["gate="], "expected NAME or NAME=VIDEO"),
        (["a.mp4"], ["=a.mp4"], "expected NAME or NAME=VIDEO"),
    ],
)
def test_arguments_that_contradict_each_other_are_explained(
    videos: list[str], cameras: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        found(videos, cameras)


def test_a_recording_of_unknown_time_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    untimed, timed, container = (VideoFile(n, tmp_path / f"{n}.mp4") for n in ("a", "b", "c"))
    recordings = [
        Recording.of_file(untimed, container_time=True),
        Recording.of_file(timed, start_at=1.0),
        Recording.of_file(container, container_time=True),
    ]
    seen: list[str] = []
    opened = warning_of_unknown_times(recordings, lambda camera_id, info: seen.append(camera_id))
    for camera_id, created_at in (("a", None), ("a", None), ("b", None), ("c", 1.0)):
        opened(camera_id, VideoInfo("h264", 320, 240, 10, 1.0, 10.0, created_at))
    assert seen == ["a", "a", "b", "c"]
    [record] = caplog.records
    assert record.getMessage().startswith("a: it is not known when this was recorded")
