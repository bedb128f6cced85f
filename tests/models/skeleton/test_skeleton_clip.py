"""What a skeleton clip and the spec of its recognizer must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.skeleton.skeleton_clip import SkeletonClip, SkeletonSpec

SPEC: dict[str, Any] = {
    "name": "rules",
    "labels": ("fall",),
    "group_labels": (),
    "clip_len": 25,
    "interval_s": 0.1,
}


def test_a_clip_of_other_shapes_is_refused() -> None:
    points, boxes = np.zeros((2, 5, 17, 3), np.float32), np.zeros((2, 5, 4), np.float32)
    SkeletonClip(points, boxes)
    with pytest.raises(ValueError, match="key_points must be"):
        SkeletonClip(points[:, :, :13], boxes)
    with pytest.raises(ValueError, match="xyxy must be"):
        SkeletonClip(points, boxes[:1])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"labels": ()}, "labels"),
        ({"group_labels": ("fight",)}, "group_labels"),
        ({"clip_len": 1}, "clip_len"),
        ({"interval_s": 0.0}, "interval_s"),
    ],
)
def test_a_spec_that_cannot_work_names_the_field(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        SkeletonSpec(**SPEC | change)
