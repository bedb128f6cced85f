"""What the compact detector is scored on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.detections import Detections
from training.detector.held_out import by_judge, labelled_sets, unlabelled_sets


def test_confident_boxes_are_people_doubtful_ones_neither_right_nor_wrong() -> None:
    boxes = np.array([[n, 0, n + 5, 9] for n in range(4)], np.float32)
    found = Detections(boxes, np.array([0.9, 0.4, 0.2, 0.05], np.float32))
    people = by_judge(found)
    assert people.xyxy[:, 0].tolist() == [0, 1, 2]
    assert people.counts.tolist() == [True, True, False]


class SeesNobody:
    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        return [Detections.empty() for _ in images]


@pytest.mark.slow
def test_every_set_has_images_and_the_labelled_ones_people_inside_them(
    shared_data: Path,
) -> None:
    data = shared_data / "data"
    for labelled in labelled_sets(data):
        pairs = list(labelled.pairs())
        assert len(pairs) >= 36
        assert sum(people.counts.sum() for _, people in pairs) > 100
        for image, people in pairs:
            height, width = image.shape[:2]
            assert (people.xyxy <= (width, height, width, height)).all()
    for judged in unlabelled_sets(data, SeesNobody()):
        image, people = next(judged.pairs())
        assert image.ndim == 3
        assert not len(people.xyxy)
