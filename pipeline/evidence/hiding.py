"""Make people unrecognizable in an image: coarse blocks instead of their faces or bodies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from models.boxes import FloatArray
from pipeline.types import Image

Hidden = Literal["faces", "bodies"]

# The head of a standing adult is an eighth of the height (canon of proportions); of a sitting or
# bending person the box is lower, and the head a larger part of it.
HEAD_PART = 0.3
_MARGIN = 0.1  # of the box's sides: detectors cut off hair, hands and feet
_BLOCKS = 6  # across the shorter side: the features of a face are gone below eight or so


@dataclass(frozen=True, slots=True, eq=False)
class PeopleAt:
    """Where the people to hide were, at one time."""

    pts_s: float
    boxes: tuple[FloatArray, ...]  # float32 (4,) pixels


def hide_people(image: Image, boxes: Iterable[FloatArray], what: Hidden) -> None:
    """Cover people in an image, in place.

    Args:
        image: uint8 (H, W, 3) BGR.
        boxes: float32 (4,) pixels, of each person.
        what: "faces" covers the upper `HEAD_PART` of each box, "bodies" the whole box.
    """
    height, width = image.shape[:2]
    for x1, y1, x2, y2 in boxes:
        across, down = _MARGIN * (x2 - x1), _MARGIN * (y2 - y1)
        bottom = y1 + HEAD_PART * (y2 - y1) if what == "faces" else y2 + down
        left, right = max(int(x1 - across), 0), min(int(np.ceil(x2 + across)), width)
        top, end = max(int(y1 - down), 0), min(int(np.ceil(bottom)), height)
        if left < right and top < end:
            image[top:end, left:right] = _coarse(image[top:end, left:right])


def boxes_between(people: Iterable[PeopleAt], pts_s: float, reach_s: float) -> list[FloatArray]:
    """Return where people may be at a time between two processed frames: at the places of both.

    Args:
        people: of the processed frames, oldest first.
        pts_s: of the frame to cover.
        reach_s: a processed frame counts for so long before and after itself, seconds.
    """
    return [box for one in people if abs(one.pts_s - pts_s) <= reach_s for box in one.boxes]


def _coarse(image: Image) -> Image:
    height, width = image.shape[:2]
    shorter = min(height, width)
    blocks = max(1, min(_BLOCKS, shorter))
    size = (max(1, round(width * blocks / shorter)), max(1, round(height * blocks / shorter)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
