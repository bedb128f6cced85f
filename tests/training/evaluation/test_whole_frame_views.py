"""Frames and crops of mmaction2's test of ten clips and three crops, held as numbers.

The frame numbers are those of mmaction2 1.2.0 (`SampleFrames` of
mmaction/datasets/transforms/loading.py) with clip_len=32, frame_interval=2, num_clips=10 and
test_mode=True, worked out by hand from its rule: the free frames (total - 63) are divided into
nine equal steps, whose ends are rounded half to even.
"""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.whole_frame_views import crop_corners, scale_short_side, view_frames


def starts(total: int, clips: int = 10) -> list[int]:
    frames = view_frames(total, clip_len=32, frame_interval=2, clips=clips)
    assert frames.shape == (clips, 32)
    assert frames.max() < total
    return list(frames[:, 0])


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (300, [0, 26, 53, 79, 105, 132, 158, 184, 211, 237]),  # ten seconds at 30 fps
        (250, [0, 21, 42, 62, 83, 104, 125, 145, 166, 187]),  # at 25 fps
        (64, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]),
        (63, [0] * 10),
    ],
)
def test_ten_clips_start_where_mmaction2_starts_them(total: int, expected: list[int]) -> None:
    assert starts(total) == expected


def test_a_clip_takes_every_second_frame() -> None:
    frames = view_frames(300, clip_len=32, frame_interval=2, clips=10)
    assert frames[0].tolist() == list(range(0, 63, 2))
    assert frames[-1].tolist() == list(range(237, 300, 2))


def test_a_video_shorter_than_a_clip_is_looped() -> None:
    frames = view_frames(40, clip_len=32, frame_interval=2, clips=2)
    assert frames[0].tolist() == [*range(0, 40, 2), *range(0, 24, 2)]
    assert (frames[0] == frames[1]).all()


def test_one_clip_lies_in_the_middle() -> None:
    assert starts(300, clips=1) == [118]


@pytest.mark.parametrize(
    ("hw", "scaled"),
    [((240, 320), (256, 341)), ((720, 1280), (256, 455)), ((640, 360), (455, 256))],
)
def test_the_shorter_side_becomes_256(hw: tuple[int, int], scaled: tuple[int, int]) -> None:
    image = np.zeros((*hw, 3), np.uint8)
    assert scale_short_side(image, 256).shape == (*scaled, 3)


def test_three_crops_are_left_right_and_middle_or_top_bottom_and_middle() -> None:
    # ThreeCrop of 256 on 256 x 341: w_step = (341 - 256) // 2 = 42.
    assert crop_corners(256, 341, 256, 3) == ((0, 0), (0, 84), (0, 42))
    assert crop_corners(455, 256, 256, 3) == ((0, 0), (198, 0), (99, 0))
    assert crop_corners(256, 341, 256, 1) == ((0, 42),)
    with pytest.raises(ValueError, match="one or three"):
        crop_corners(256, 256, 256, 2)
