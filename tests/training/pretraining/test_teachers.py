"""Networks whose features are predicted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.pretraining.made_teachers import write_frame_teacher, write_stream_teacher
from training.labels.samples import DataError
from training.pretraining.teachers import FrameTeacher, StreamTeacher

CLIP = np.full((4, 16, 16, 3), (0, 100, 200), np.uint8)  # BGR


def test_the_feature_of_frames_is_the_mean_over_space_and_time_of_normalized_rgb(
    tmp_path: Path,
) -> None:
    teacher = FrameTeacher(write_frame_teacher(tmp_path / "t.xml"), mean=0.0, std=100.0)
    dark = np.zeros_like(CLIP[:2])
    np.testing.assert_allclose(teacher.features(CLIP), [2.0, 1.0, 0.0], atol=1e-3)
    np.testing.assert_allclose(
        teacher.features(np.concatenate([CLIP[:2], dark])), [1.0, 0.5, 0.0], atol=1e-3
    )


def test_a_stream_carries_its_state_and_starts_each_clip_from_zero(tmp_path: Path) -> None:
    teacher = StreamTeacher(write_stream_teacher(tmp_path / "t.xml"))
    for _ in range(2):
        np.testing.assert_allclose(teacher.features(CLIP), [200 / 255, 100 / 255, 0], atol=1e-3)


def test_a_teacher_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.xml: there is no such teacher"):
        FrameTeacher(tmp_path / "none.xml")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(DataError, match=r"bad\.onnx: OpenVINO cannot read it"):
        FrameTeacher(tmp_path / "bad.onnx")
    stream = write_stream_teacher(tmp_path / "stream.xml")
    with pytest.raises(DataError, match=r"stream\.xml: a teacher of frames has one input"):
        FrameTeacher(stream)
    with pytest.raises(DataError, match=r"frames\.xml: a stream teacher has one input"):
        StreamTeacher(write_frame_teacher(tmp_path / "frames.xml"))
    other = write_stream_teacher(tmp_path / "other.xml", pool="other")
    with pytest.raises(DataError, match="a state head_pool_buffer"):
        StreamTeacher(other)
