"""What only DeepSORT has: features, and a gallery of them that must not grow."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from models.boxes import FloatArray
from models.detections import Detections
from pipeline.stages.deep_sort import DeepSortTracker
from pipeline.types import Image
from tests.conftest import REPOSITORY
from tests.pipeline.walkers import MeanColorEncoder, Walker, render

NN_BUDGET = 10


class RecordingEncoder(MeanColorEncoder):
    """Remembers for which boxes it was asked."""

    def __init__(self) -> None:
        self.asked: list[FloatArray] = []

    def encode(self, image: Image, xyxy: FloatArray) -> FloatArray:
        self.asked.append(xyxy)
        return super().encode(image, xyxy)


def new_tracker(encoder: MeanColorEncoder) -> DeepSortTracker:
    return DeepSortTracker(
        encoder,
        max_age=5,
        n_init=3,
        max_iou_distance=0.7,
        max_cosine_distance=0.05,
        nn_budget=NN_BUDGET,
    )


def test_the_gallery_stays_bounded_however_long_people_stay() -> None:
    tracker = new_tracker(MeanColorEncoder())
    walkers = [Walker((0, 0, 255), (60, 100), (0, 0)), Walker((255, 0, 0), (200, 100), (0, 0))]
    sizes = []
    for index in range(300):
        tracker.update(*render(walkers, index))
        sizes.append(tracker.gallery_size)
    assert max(sizes) == sizes[-1] == 2 * NN_BUDGET


def test_a_person_has_the_feature_of_their_detection_in_this_frame() -> None:
    tracker = new_tracker(MeanColorEncoder())
    walkers = [Walker((0, 0, 255), (60, 100), (1, 0)), Walker((255, 0, 0), (200, 100), (0, 0))]
    for index in range(6):
        frame, detections = render(walkers, index)
        people, _ = tracker.update(frame, detections)
    assert len(people) == 2
    for person in people:
        [expected] = MeanColorEncoder().encode(frame.image, person.xyxy[None])
        assert person.feature is not None
        assert person.feature.tolist() == expected.tolist()


def test_the_gallery_is_empty_when_all_people_have_left() -> None:
    tracker = new_tracker(MeanColorEncoder())
    walker = Walker((0, 0, 255), (60, 100), (0, 0), leaves_at=10)
    for index in range(30):
        tracker.update(*render([walker], index))
    assert tracker.gallery_size == 0


def test_only_boxes_inside_the_image_reach_the_encoder() -> None:
    encoder = RecordingEncoder()
    frame, _ = render([], 0)
    xyxy = np.array([[-5, -5, 40, 300], [7, 7, 7, 20], [np.nan, 1, 2, 3]], np.float32)
    new_tracker(encoder).update(frame, Detections(xyxy, np.full(3, 0.9, np.float32)))
    (asked,) = encoder.asked
    assert asked.tolist() == [[0, 0, 40, 240]]


def test_people_who_swap_places_while_hidden_are_recognized_by_their_appearance() -> None:
    """By motion alone they stayed where they were; so they would with a shifted feature."""
    tracker = new_tracker(MeanColorEncoder())
    red, blue = Walker((0, 0, 255), (140, 100), (0, 0)), Walker((255, 0, 0), (164, 100), (0, 0))
    no_box = np.array([[9, 9, 9, 50]], np.float32)
    known: dict[str, set[int]] = {"red": set(), "blue": set()}
    for index in range(30):
        left, right = (red, blue) if index < 15 else (blue, red)
        swapped = [
            Walker(left.color, (140, 100), (0, 0), hidden=range(13, 17)),
            Walker(right.color, (164, 100), (0, 0), hidden=range(13, 17)),
        ]
        frame, detections = render(swapped, index)
        with_broken = Detections(
            np.concatenate([no_box, detections.xyxy]),
            np.concatenate([np.array([0.9], np.float32), detections.confidence]),
        )
        people, _ = tracker.update(frame, with_broken)
        for person in people:
            x = int(person.xyxy[0] + person.xyxy[2]) // 2
            is_red = frame.image[100, x, 2] > 128
            known["red" if is_red else "blue"].add(person.track_id)
    assert len(known["red"]) == len(known["blue"]) == 1
    assert known["red"].isdisjoint(known["blue"])


@pytest.mark.slow
def test_deep_sort_needs_no_pkg_resources() -> None:
    """Only the stock embedders import it, which setuptools lacks since version 82."""
    program = """
import sys
sys.modules["pkg_resources"] = sys.modules["setuptools"] = None  # importing them fails
import numpy as np
from models.detections import Detections
from models.detectors.appearance import mobilenet_encoder
from pipeline.stages.deep_sort import DeepSortTracker
from pipeline.types import Frame
encoder = mobilenet_encoder((32, 32), "cpu")
tracker = DeepSortTracker(
    encoder, max_age=5, n_init=1, max_iou_distance=0.7, max_cosine_distance=0.2, nn_budget=10
)
image = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
people = Detections(np.array([[8, 8, 40, 88]], np.float32), np.array([0.9], np.float32))
for index in range(3):
    seen, _ = tracker.update(Frame("gate", index, index / 10, 0.0, image, 0.0), people)
print(len(seen))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1\n"
