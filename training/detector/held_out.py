"""The images that the compact detector was never trained on, and the people in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.detections import Detections
from pipeline.sources.file_decoder import VideoReader
from pipeline.stages.detection import PersonDetector
from training.detector.frames import PETS_FRAMES, held_out_clips, held_out_images
from training.labels.mot_files import NO_PEOPLE, LabelledBoxes, read_mot
from training.labels.yolo_folder import LabelledImage, read_people
from training.metrics.detection import TruePeople

# Of the larger detector's boxes, those that count as people, and those that may be people.
PERSON_CONFIDENCE, IGNORED_CONFIDENCE = 0.4, 0.1

Image = NDArray[np.uint8]  # (H, W, 3) BGR
Pairs = Iterator[tuple[Image, TruePeople]]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A set of images with their people."""

    name: str
    pairs: Callable[[], Pairs]  # decodes again at each call


def labelled_sets(data: Path) -> list[HeldOut]:
    """Collect the sets with ground truth: photographs, a known and an unknown recording."""
    mot, video = data / "mot", data / "video"
    pets = mot / "PETS09-S2L1/gt/gt.txt"
    campus = mot / "TUD-Campus"
    return [
        HeldOut("COCO, 64 held-out photographs", lambda: _coco(data)),
        HeldOut(
            f"PETS09-S2L1, frames from {PETS_FRAMES} on",
            lambda: _video_pairs(video / "pets09_s2l1.avi", pets, range(PETS_FRAMES, 795, 5)),
        ),
        HeldOut(
            "TUD-Campus, a place never seen",
            lambda: _video_pairs(campus / "TUD-Campus.mp4", campus / "gt/gt.txt", range(0, 71, 2)),
        ),
    ]


def unlabelled_sets(data: Path, judge: PersonDetector) -> list[HeldOut]:
    """Collect the sets whose people are the confident boxes of a larger detector.

    Args:
        data: folder of the data sets.
        judge: the larger detector, with a confidence threshold of at most IGNORED_CONFIDENCE.
    """
    video = data / "video"

    def judged(images: Callable[[], Iterator[Image]]) -> Callable[[], Pairs]:
        return lambda: ((image, by_judge(judge.detect([image])[0])) for image in images())

    clips = held_out_clips(data)
    return [
        HeldOut(
            f"fight_surv, {len(clips)} clips of held-out cameras",
            judged(lambda: (image for clip in clips for image in _take(clip, range(0, 50, 20)))),
        ),
        HeldOut("people.mp4", judged(lambda: _take(video / "people.mp4", range(0, 302, 20)))),
        HeldOut(
            "crowd_indoor.mp4",
            judged(lambda: _take(video / "crowd_indoor.mp4", range(0, 300, 20))),
        ),
    ]


def by_judge(found: Detections) -> TruePeople:
    """Take confident boxes as people and less confident ones as neither right nor wrong."""
    likely = found[found.confidence >= IGNORED_CONFIDENCE]
    return TruePeople(likely.xyxy, likely.confidence >= PERSON_CONFIDENCE)


def _coco(data: Path) -> Pairs:
    for path in held_out_images(data):
        labels = data / "coco_train128/labels" / f"{path.stem}.txt"
        labelled = LabelledImage(path, read_people(labels))
        image = labelled.read()
        yield image, TruePeople.all_count(labelled.xyxy(image.shape[1], image.shape[0]))


def _video_pairs(video: Path, truth: Path, indices: range) -> Pairs:
    people = read_mot(truth)
    for index, image in zip(indices, _take(video, indices), strict=False):
        boxes: LabelledBoxes = people.get(index + 1, NO_PEOPLE)
        height, width = image.shape[:2]
        yield image, TruePeople(_inside(boxes.xyxy, width, height), boxes.counts)


def _inside(xyxy: FloatArray, width: int, height: int) -> FloatArray:
    """Clip ground truth, which extends beyond the image, to the image's border."""
    return np.clip(xyxy, 0, np.array([width, height, width, height], np.float32))


def _take(video: Path, indices: range) -> Iterator[Image]:
    """Decode the frames with these indices, as far as there are."""
    with closing(VideoReader(video)) as reader:
        for index, decoded in enumerate(reader.frames()):
            if index in indices:
                yield decoded.image
