"""Score person detectors on the held-out images: the numbers of the compact one's model card."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from models.detectors.hog import HogPersonDetector
    from models.detectors.yolo import YoloPersonDetector
    from pipeline.stages.detection import PersonDetector
    from training.detector.held_out import HeldOut
    from training.metrics.detection import DetectionScore


def main(
    detectors: Annotated[
        list[str], typer.Argument(help="As detector.weights: compact, builtin, a path.")
    ],
    data: Annotated[Path, typer.Option(help="Folder with coco_train128, mot, video, ...")] = Path(
        "../shared/data"
    ),
    judge: Annotated[
        Path | None, typer.Option(help="Weights whose boxes are the truth where there is none.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="For recall and precision.")] = 0.4,
    threads: Annotated[int, typer.Option(help="Of torch; the others take what they find.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the scores here.")] = None,
) -> None:
    """Print one table per held-out set, a line per detector.

    Example: python -m training.detector.evaluate compact builtin
    """
    import cv2
    import torch
    from rich.console import Console

    from training.detector.held_out import labelled_sets, unlabelled_sets
    from training.metrics.detection import LOW_CONFIDENCE

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    teacher = judge or data / "weights/yolo11n_int8_openvino_model"
    the_judge = build_cpu_detector(str(teacher), LOW_CONFIDENCE)
    sets = labelled_sets(data) + unlabelled_sets(data, the_judge)
    scores: dict[str, dict[str, DetectionScore]] = {one.name: {} for one in sets}
    for weights in detectors:
        detector = build_cpu_detector(weights, LOW_CONFIDENCE)
        for one in sets:
            started = time.monotonic()
            scores[one.name][weights] = score = _score(one, detector, confidence)
            pace = (time.monotonic() - started) / score.images
            Console(width=120).print(score.to_table(f"{one.name}: {weights}"))
            typer.echo(f"{score.images} images, {pace * 1000:.0f} ms each with decoding", err=True)
    if json_file is not None:
        rows = {name: {w: s.to_json() for w, s in by.items()} for name, by in scores.items()}
        json_file.write_text(json.dumps(rows, indent=2) + "\n")


def build_cpu_detector(weights: str, confidence: float) -> YoloPersonDetector | HogPersonDetector:
    """Build a detector with the pipeline's defaults, but for its confidence."""
    from models.detectors.factory import build_person_detector

    return build_person_detector(
        weights,
        confidence=confidence,
        iou=0.7,
        image_size=640,
        device="cpu",
        batch_size=1,
        decide_s=5.0,
        limit_s=120.0,
    )


def _score(held_out: HeldOut, detector: PersonDetector, confidence: float) -> DetectionScore:
    from models.detections import Detections
    from training.metrics.detection import TruePeople, score_detections

    truth: list[TruePeople] = []
    found: list[Detections] = []
    for image, people in held_out.pairs():
        truth.append(people)
        found += detector.detect([image])
    return score_detections(truth, found, confidence=confidence)


if __name__ == "__main__":
    typer.run(main)
