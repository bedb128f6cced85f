"""Cutting the groups of a sample."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from models.boxes import FloatArray
from tests.conftest import make_frame
from training.crops.group_cut import GroupCut, hull_at

LEFT = np.array([10, 10, 30, 60], np.float32)
RIGHT = np.array([35, 10, 55, 60], np.float32)
FAR = np.array([600, 10, 620, 60], np.float32)


class Written:
    """The windows and times of the clips that were cut."""

    def __init__(self) -> None:
        self.windows: dict[str, list[FloatArray]] = defaultdict(list)
        self.times: dict[str, list[float]] = defaultdict(list)

    def cut(self, people: list[FloatArray], frames: int, *, together_from: int = 0) -> None:
        """Show people who stand still; before `together_from` only the first of them."""
        cutting = GroupCut(1.0, 0.0, self._write)
        for index in range(frames):
            seen = people if index >= together_from else people[:1]
            cutting.add(make_frame(index), [(str(n), box) for n, box in enumerate(seen)])
        cutting.finish()

    def _write(self, frame, who: str, window: FloatArray) -> None:  # type: ignore[no-untyped-def]
        self.windows[who].append(window)
        self.times[who].append(frame.pts_s)


def test_people_side_by_side_share_one_square_in_all_frames_of_a_clip() -> None:
    written = Written()
    written.cut([LEFT, RIGHT], 11)
    assert list(written.windows) == ["group 1/1"]
    for window in written.windows["group 1/1"]:
        np.testing.assert_allclose(window, [8, 10, 58, 60])  # whole pixels, see group_window
    np.testing.assert_allclose(written.times["group 1/1"], np.arange(11) / 10)


def test_people_far_apart_are_no_group() -> None:
    written = Written()
    written.cut([LEFT, FAR], 30)
    assert not written.windows


def test_a_group_has_a_clip_every_half_second_under_one_number() -> None:
    written = Written()
    written.cut([LEFT, RIGHT], 21)
    assert list(written.windows) == ["group 1/1", "group 1/2", "group 1/3"]
    assert [times[-1] for times in written.times.values()] == pytest.approx([1.0, 1.5, 2.0])
    assert [times[0] for times in written.times.values()] == pytest.approx([0.0, 0.5, 1.0])


def test_a_sample_shorter_than_a_clip_has_one_clip_with_how_it_began() -> None:
    written = Written()
    written.cut([LEFT, RIGHT], 9, together_from=3)
    assert list(written.windows) == ["group 1/1"]
    np.testing.assert_allclose(written.times["group 1/1"], np.arange(9) / 10)


def test_the_hull_of_a_frame_s_members() -> None:
    boxes = {4: [LEFT, RIGHT]}
    np.testing.assert_array_equal(hull_at(boxes, 4), np.array([10, 10, 55, 60], np.float32))
    assert hull_at(boxes, 5) is None
