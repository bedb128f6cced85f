"""The sound part of damaged videos."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.sources.file_decoder import DecodeError, VideoReader
from tests.conftest import write_video
from training.labels.damaged_videos import frames_before_damage


def read(path: Path) -> list[float]:
    with closing(VideoReader(path)) as reader:
        return [frame.pts_s for frame in frames_before_damage(reader, path)]


def test_the_frames_before_the_damage_are_kept_and_the_file_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = write_video(tmp_path / "whole.avi", [n / 30 for n in range(120)], codec="mjpeg")
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    with caplog.at_level(logging.WARNING):
        assert len(read(whole)) == 120
        assert not caplog.messages
        times = read(cut)
    assert 10 < len(times) < 120
    [message] = caplog.messages
    assert "cut.avi" in message
    assert f"the {len(times)} frames before are used" in message


def test_a_video_without_a_single_frame_is_an_error(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.avi", [0.0, 0.1, 0.2], codec="mjpeg")
    head = tmp_path / "head.avi"
    data = whole.read_bytes()
    head.write_bytes(data[: data.index(b"movi") + 4])
    with pytest.raises(DecodeError):
        read(head)
