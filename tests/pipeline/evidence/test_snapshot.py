"""Snapshots as a viewer opens them."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.evidence.snapshot import EvidenceSnapshot, encode_snapshot
from pipeline.outputs.drawing import ACTING, LabelledBox


def opened(snapshot: EvidenceSnapshot) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(encode_snapshot(snapshot), np.uint8), cv2.IMREAD_COLOR)


def test_the_people_in_question_are_drawn_and_the_frame_stays_as_it_is() -> None:
    image = np.full((240, 320, 3), 90, np.uint8)
    box = np.array([100, 60, 180, 220], np.float32)
    shown = opened(EvidenceSnapshot(image, (LabelledBox("#7 fight 84%", box),), (), "gate  0:01.0"))
    assert shown.shape == image.shape
    assert np.abs(shown[140, 100].astype(int) - ACTING).max() < 100
    assert (image == 90).all()
    assert np.abs(shown[200:230, 10:60].astype(int) - 90).max() < 20


def test_others_are_hidden_if_that_is_asked() -> None:
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    box = np.array([200, 40, 280, 200], np.float32)
    inside = (slice(70, 190), slice(205, 275))
    plain = opened(EvidenceSnapshot(image, (), (box,), "gate"))
    hidden = opened(EvidenceSnapshot(image, (), (box,), "gate", "bodies"))

    def detail(one: np.ndarray) -> float:
        return float(np.abs(np.diff(one[inside].astype(int), axis=1)).mean())

    assert detail(hidden) < 0.3 * detail(plain)


def test_the_jpeg_has_no_metadata() -> None:
    jpeg = encode_snapshot(EvidenceSnapshot(np.zeros((40, 40, 3), np.uint8), (), (), "gate"))
    assert b"Exif" not in jpeg
    assert b"\xff\xfe" not in jpeg[:200]  # a comment
