"""Scores a person detector on labelled images: average precision as COCO computes it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from rich.table import Table

from models.boxes import FloatArray, xyxy_to_ltwh
from models.detections import Detections
from pipeline.stages.detection import PersonDetector
from training.labels.yolo_folder import read_yolo_folder

# Average precision wants boxes of every confidence; ultralytics validates with this one too.
LOW_CONFIDENCE = 0.001
_IOU_50 = 0  # index of IoU 0.5 among COCO's thresholds 0.50, 0.55, ... 0.95


@dataclass(frozen=True, slots=True, eq=False)
class TruePeople:
    """Who is in one image."""

    xyxy: FloatArray  # float32 (N, 4) pixels
    counts: NDArray[np.bool_]  # (N,) False: neither to be found nor wrong, as COCO's crowds

    @classmethod
    def all_count(cls, xyxy: FloatArray) -> TruePeople:
        """Build ground truth of people who all must be found."""
        return cls(xyxy, np.ones(len(xyxy), bool))


@dataclass(frozen=True, slots=True)
class DetectionScore:
    """How well people were found; ratios in 0..1."""

    ap50: float  # average precision at IoU 0.5, 101 points of recall, 100 boxes per image
    ap50_95: float  # mean over IoU 0.50, 0.55, ... 0.95
    recall: float  # at IoU 0.5, boxes of at least `confidence`
    precision: float  # the same; 0 if there is no box
    confidence: float
    images: int
    people: int  # to be found
    boxes: int  # of at least `confidence`

    def to_table(self, title: str) -> Table:
        """Format the score as a table of one row."""
        at = f"at {self.confidence:g}"
        table = Table("AP50", "AP50-95", f"recall {at}", f"precision {at}", title=title)
        for heading in ("images", "people", f"boxes {at}"):
            table.add_column(heading, justify="right")
        ratios = (self.ap50, self.ap50_95, self.recall, self.precision)
        counts = (self.images, self.people, self.boxes)
        table.add_row(*(f"{ratio:.3f}" for ratio in ratios), *map(str, counts))
        return table

    def to_json(self) -> dict[str, float | int]:
        """Return the numbers by name, for `json.dump`."""
        return asdict(self)


def evaluate_detection(
    folder: Path,
    detector: PersonDetector,
    *,
    confidence: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> DetectionScore:
    """Score a detector on a folder in YOLO's format, class 0 the people.

    Args:
        folder: with images/ and labels/; other classes are ignored, an image without label file
            shows no people.
        detector: built with LOW_CONFIDENCE, or the average precision lacks its tail.
        confidence: at which recall and precision are reported: that of the pipeline.
        progress: called with how many images of how many are done.

    Raises:
        FileNotFoundError: if the folder has no images or no labels.
        ValueError: if a label or an image cannot be read, or no image shows a person.
    """
    images = read_yolo_folder(folder)
    truth: list[TruePeople] = []
    found: list[Detections] = []
    for done, labelled in enumerate(images, 1):
        image = labelled.read()
        height, width = image.shape[:2]
        truth.append(TruePeople.all_count(labelled.xyxy(width, height)))
        found += detector.detect([image])
        progress(done, len(images))
    if not any(len(people.xyxy) for people in truth):
        raise ValueError(f"{folder / 'labels'}: no person in any image (class 0 is person)")
    return score_detections(truth, found, confidence=confidence)


def score_detections(
    truth: Sequence[TruePeople], found: Sequence[Detections], *, confidence: float
) -> DetectionScore:
    """Compare what was found with the people of the same images.

    Args:
        truth: one per image.
        found: one per image, in the same order.
        confidence: at which recall and precision are reported.

    Raises:
        ValueError: if the two differ in length, or no person is to be found.
    """
    people = sum(int(one.counts.sum()) for one in truth)
    if len(truth) != len(found) or not people:
        raise ValueError(f"{len(truth)} images with {people} people, {len(found)} results")
    boxes = sum(int((one.confidence >= confidence).sum()) for one in found)
    evaluation = _coco_evaluation(truth, found)
    hits, wrong = _hits_and_wrong(evaluation, confidence)
    return DetectionScore(
        ap50=float(evaluation.stats[1]),
        ap50_95=float(evaluation.stats[0]),
        recall=hits / people,
        precision=hits / max(hits + wrong, 1),
        confidence=confidence,
        images=len(truth),
        people=people,
        boxes=boxes,
    )


def _coco_evaluation(truth: Sequence[TruePeople], found: Sequence[Detections]) -> Any:
    """Run pycocotools, which wants COCO's dicts and prints what it does."""
    with redirect_stdout(io.StringIO()):
        real, results = COCO(), COCO()
        real.dataset = _coco_dataset(
            [(one.xyxy, {"iscrowd": (~one.counts).astype(int)}) for one in truth]
        )
        results.dataset = _coco_dataset([(one.xyxy, {"score": one.confidence}) for one in found])
        real.createIndex()
        results.createIndex()
        evaluation = COCOeval(real, results, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _coco_dataset(images: Sequence[tuple[FloatArray, dict[str, NDArray[Any]]]]) -> dict[str, Any]:
    """Convert to COCO's rows, numbered from 1 on: pycocotools reads 0 as unmatched."""
    annotations: list[dict[str, Any]] = []
    for image, (xyxy, columns) in enumerate(images):
        for row, ltwh in enumerate(xyxy_to_ltwh(xyxy).tolist()):
            own = {name: column[row].item() for name, column in columns.items()}
            area = ltwh[2] * ltwh[3]
            number = len(annotations) + 1
            box = {"id": number, "image_id": image, "category_id": 1, "bbox": ltwh, "area": area}
            annotations.append({"iscrowd": 0} | box | own)
    return {
        "images": [{"id": image} for image in range(len(images))],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": annotations,
    }


def _hits_and_wrong(evaluation: Any, confidence: float) -> tuple[int, int]:
    """Count boxes of at least `confidence` that match a person at IoU 0.5, and the others.

    Boxes are matched in order of confidence, so leaving out the lower ones changes no match.
    """
    hits = wrong = 0
    whole = evaluation.params.areaRng[0]
    for image in evaluation.evalImgs:
        if image is not None and image["aRng"] == whole:
            confident = np.array(image["dtScores"]) >= confidence
            confident &= ~image["dtIgnore"][_IOU_50].astype(bool)
            matched = image["dtMatches"][_IOU_50] > 0
            hits += int((confident & matched).sum())
            wrong += int((confident & ~matched).sum())
    return hits, wrong
