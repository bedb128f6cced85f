"""One image of a file or a camera."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.commands.camera_image import image_of_camera, image_of_file
from pipeline.config.live import LiveConfig
from pipeline.errors import SourceError
from pipeline.live.camera_source import parse_source
from pipeline.sources.video_files import VideoFile
from tests.conftest import write_video

LIMIT = 10**6


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of ten frames, each brighter than the one before."""
    path = tmp_path_factory.mktemp("video") / "grey.mp4"
    return write_video(path, [n / 10 for n in range(10)], shade=lambda number: 20 * number)


def test_the_frame_of_a_time_is_taken_from_a_file(video: Path) -> None:
    first = image_of_file(VideoFile("grey", video), 0.0, LIMIT)
    later = image_of_file(VideoFile("grey", video), 0.5, LIMIT)
    assert first.shape == later.shape == (48, 64, 3)
    assert abs(float(first.mean())) < 15
    assert abs(float(later.mean()) - 100) < 15


def test_a_file_that_is_too_short_or_missing_is_named(video: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"--at: .*grey.mp4 ends after 0.90 s"):
        image_of_file(VideoFile("grey", video), 5.0, LIMIT)
    with pytest.raises(SourceError, match=r"none.mp4: no such file"):
        image_of_file(VideoFile("none", tmp_path / "none.mp4"), 0.0, LIMIT)


def test_the_first_frame_of_a_camera_is_taken(video: Path) -> None:
    source = parse_source(f"{video}?live", "gate")
    assert image_of_camera(source, LiveConfig()).shape == (48, 64, 3)


def test_a_camera_that_does_not_answer_is_named_without_its_password() -> None:
    source = parse_source("rtsp://viewer:hunter2@127.0.0.1:1/main", "gate")
    with pytest.raises(SourceError) as caught:
        image_of_camera(source, LiveConfig())
    assert str(caught.value).startswith("camera gate (rtsp://")
    assert "(unreachable)" in str(caught.value)
    assert "hunter2" not in str(caught.value)
