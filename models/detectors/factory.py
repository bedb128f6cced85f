"""Choose the person detector: a YOLO if its weights are available, else the bundled one."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from models.cache_folder import cache_folder
from models.detectors.hog import HogPersonDetector
from models.detectors.official_weights import ASSETS_URL
from models.detectors.weights_download import find_or_fetch_weights
from models.detectors.yolo import PERSON, UnknownClassError, YoloPersonDetector

BUILT_IN = "builtin"  # in OpenCV, no weights
COMPACT = "compact"  # trained by this project, see the model card beside the weights
COMPACT_WEIGHTS = Path(__file__).parents[1] / "weights/person_detector_openvino_model"
COMPACT_SIZE = 416  # pixels, the one size of these weights

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
    person_class: str = PERSON,
    sha256: str | None = None,
) -> YoloPersonDetector | HogPersonDetector:
    """Build the configured detector, or warn in one line and build the compact one.

    Args:
        weights: a path, the name of official weights, `compact` for the bundled weights, or
            `builtin` for the detector that needs none. Only an official name that cannot be
            downloaded is replaced by the compact detector.
        confidence: detections below it are dropped, in [0, 1].
        iou: overlap above which two boxes are one person (YOLO).
        image_size: longer side of the input in pixels (YOLO); `compact` has its own.
        device: "cpu" or "cuda:N", for .pt weights; `compact` always runs on the CPU.
        batch_size: images per call on a GPU (YOLO).
        decide_s: seconds within which the download must begin.
        limit_s: seconds that it may take.
        directories: searched for the weights, after the current directory.
        cache_dir: of downloaded weights; None: ~/.cache/behaviour-stream.
        base_url: of official weights, without a slash at the end.
        person_class: name of the weights' class that is people.
        sha256: digest that the weights' file must have; None: official weights have theirs.

    Returns:
        The detector, loaded and run once.

    Raises:
        FileNotFoundError: if a path was given and is not there.
        UnknownClassError: if the weights have no such class.
        ValueError: if the weights cannot be loaded, or have another digest.
    """
    if weights == BUILT_IN:
        if person_class.casefold() != PERSON:
            raise UnknownClassError(f"{BUILT_IN} has no class {person_class!r}, only {PERSON}")
        return HogPersonDetector(confidence=confidence)

    def yolo(path: Path, size: int) -> YoloPersonDetector:
        return YoloPersonDetector(
            path,
            confidence=confidence,
            iou=iou,
            image_size=size,
            device=device,
            batch_size=batch_size,
            person_class=person_class,
        )

    if weights == COMPACT:
        return yolo(COMPACT_WEIGHTS, COMPACT_SIZE)
    cache_dir = cache_dir or cache_folder()
    found = find_or_fetch_weights(
        weights,
        directories=directories,
        cache_dir=cache_dir,
        decide_s=decide_s,
        limit_s=limit_s,
        base_url=base_url,
        sha256=sha256,
    )
    if found is not None:
        return yolo(found, image_size)
    compact = yolo(COMPACT_WEIGHTS, COMPACT_SIZE)
    log.warning(
        "%s is not here and cannot be fetched, so people are detected by our own, which finds"
        " fewer of them: %s; for the better one run once with a network, or save %s/%s in %s;"
        " detector.weights=%s selects this one explicitly",
        weights,
        compact.description,
        base_url,
        weights,
        cache_dir,
        COMPACT,
    )
    return compact
