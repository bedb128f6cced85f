"""People cut out for the appearance network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.detections import Detections
from training.appearance import crops
from training.appearance.crops import COPIES, cut_people, jittered
from training.detector.frames import FrameSource


def test_small_and_doubtful_people_are_left_out_and_the_others_cut_several_times() -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    xyxy = np.array([[10, 10, 50, 100], [60, 10, 65, 25], [80, 10, 120, 100]], np.float32)
    people = Detections(xyxy, np.array([0.9, 0.9, 0.1], np.float32))
    cut = list(cut_people(image, people, np.random.default_rng(0)))
    assert len(cut) == COPIES
    assert all(crop.shape == (160, 80, 3) for crop in cut)
    assert (cut[0] != cut[1]).any()


def test_a_moved_box_stays_in_the_image() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        x1, y1, x2, y2 = jittered(np.array([0, 100, 30, 120], np.float32), rng, 160, 120)
        assert 0 <= x1 < x2 <= 160
        assert 0 <= y1 < y2 <= 120


class SeesOnePerson:
    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        person = Detections(np.array([[2, 2, 30, 40]], np.float32), np.ones(1, np.float32))
        return [person for _ in images]


def test_the_recording_that_tracking_is_reported_on_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources = [FrameSource(part, Path(part), 1, 1.0) for part in ("pets09_s2l1", "other")]
    taken: list[str] = []

    def take(source: FrameSource) -> list[NDArray[np.uint8]]:
        taken.append(source.part)
        return [np.zeros((50, 60, 3), np.uint8)]

    monkeypatch.setattr(crops, "list_sources", lambda data: sources)
    monkeypatch.setattr(crops, "take_frames", take)
    assert len(list(crops.people_of(Path(), SeesOnePerson(), seed=0))) == crops.COPIES
    assert taken == ["other"]
