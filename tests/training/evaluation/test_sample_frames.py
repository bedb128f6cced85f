"""The frames of a sample's stretch, decoded one at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SourceError
from tests.conftest import write_video
from training.evaluation.sample_frames import frames_of
from training.labels.samples import Sample


def test_frames_are_those_from_start_to_before_the_end(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", [n / 10 for n in range(20)])
    stretch = Sample(video, ("walk",), start_s=0.5, end_s=1.0)
    times = [frame.pts_s for frame in frames_of(stretch)]
    assert times == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9], abs=1e-3)
    assert sum(1 for _ in frames_of(Sample(video, ("walk",)))) == 20


def test_a_file_that_is_no_video_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(SourceError, match="not a readable video"):
        list(frames_of(Sample(tmp_path / "bad.mp4", ("walk",))))
