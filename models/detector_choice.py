"""Chooses the person detector: a YOLO where its weights are at hand, else the built-in one."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from models.hog_detector import HogPersonDetector
from models.person_detector import YoloPersonDetector
from models.weights_download import ASSETS_URL, find_or_fetch_weights

BUILT_IN = "builtin"

log = logging.getLogger(__name__)


def build_person_detector(
    weights: str,
    *,
    confidence: float,
    iou: float,
    image_size: int,
    device: str,
    batch_size: int,
    decide_s: float,
    limit_s: float,
    directories: Iterable[Path] = (),
    cache_dir: Path | None = None,
    base_url: str = ASSETS_URL,
) -> YoloPersonDetector | HogPersonDetector:
    """Build the best detector there is, and warn in one line when it is not the wanted one.

    Args:
        weights: a path, the name of official weights, or `builtin` for the detector that needs
            none. Only for an official name is there a substitute.
        confidence: people below it are left out.
        iou: overlap above which two boxes are one person (YOLO).
        image_size: longer side of the input in pixels (YOLO).
        device: "cpu" or "cuda:N" (YOLO).
        batch_size: images per call on a GPU (YOLO).
        decide_s: seconds within which the download must begin.
        limit_s: seconds that it may take.
        directories: where the weights are looked for, beside the current directory.
        cache_dir: where fetched weights are kept; None: ~/.cache/behaviour-stream.
        base_url: where official weights are.

    Raises:
        FileNotFoundError: if a path was given and is not there.
        ValueError: if the weights cannot detect people.
    """
    if weights == BUILT_IN:
        return HogPersonDetector(confidence=confidence)
    cache_dir = cache_dir or Path.home() / ".cache/behaviour-stream"
    found = find_or_fetch_weights(
        weights,
        directories=directories,
        cache_dir=cache_dir,
        decide_s=decide_s,
        limit_s=limit_s,
        base_url=base_url,
    )
    if found is None:
        builtin = HogPersonDetector(confidence=confidence)
        log.warning(
            "%s is not here and cannot be fetched, so people are detected by the slower and"
            " weaker %s; for the better one run once with a network, or save %s/%s in %s",
            weights,
            builtin.description,
            base_url,
            weights,
            cache_dir,
        )
        return builtin
    return YoloPersonDetector(
        found,
        confidence=confidence,
        iou=iou,
        image_size=image_size,
        device=device,
        batch_size=batch_size,
    )
