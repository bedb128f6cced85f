"""Snapshots: the frame of a decision with the people in question, as a JPEG."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.boxes import FloatArray
from pipeline.evidence.hiding import Hidden, hide_people
from pipeline.outputs.drawing import LabelledBox, draw_subjects
from pipeline.types import Image

_QUALITY = 90  # of 100; a face of 40 pixels stays as the camera sent it


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceSnapshot:
    """What a snapshot shows."""

    image: Image  # uint8 (H, W, 3) BGR
    subjects: tuple[LabelledBox, ...]  # the people in question
    others: tuple[FloatArray, ...]  # float32 (4,) pixels, of everyone else
    caption: str
    hidden: Hidden | None = None  # of the others


def encode_snapshot(snapshot: EvidenceSnapshot) -> bytes:
    """Draw and encode a snapshot; the JPEG has no metadata.

    Raises:
        ValueError: if the image cannot be encoded.
    """
    image = snapshot.image.copy()
    if snapshot.hidden is not None:
        hide_people(image, snapshot.others, snapshot.hidden)
    draw_subjects(image, snapshot.subjects, snapshot.caption)
    encoded, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not encoded:
        raise ValueError("the image cannot be encoded")
    return np.asarray(jpeg, np.uint8).tobytes()
