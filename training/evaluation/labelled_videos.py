"""Long labelled videos: what is true in them, and what the pipeline sees in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SourceError
from training.crops.person_tracks import region_of
from training.evaluation.video_scores import VideoScores
from training.labels.samples import DataError, Sample
from training.metrics.event_matching import TrueEvent
from training.metrics.label_mapping import LabelMapping


@dataclass(frozen=True, slots=True, eq=False)
class LabelledVideo:
    """A video with its truth and the scores of its people."""

    scores: VideoScores
    truths: tuple[TrueEvent, ...]


@dataclass(frozen=True, slots=True)
class UnreadableVideo:
    """A video that cannot be read."""

    path: Path
    reason: str


def score_labelled_videos(
    samples: Sequence[Sample], mapping: LabelMapping, run: Callable[[Path], VideoScores]
) -> tuple[list[LabelledVideo], list[UnreadableVideo]]:
    """Run the pipeline once over every video.

    Args:
        samples: true intervals; a row whose label is background only adds its video.
        mapping: of the samples' labels.
        run: see `pipeline_scores.score_video`.

    Raises:
        DataError: if an interval does not fit its video.
    """
    by_path: dict[Path, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_path[sample.path].append(sample)
    labelled, unreadable = [], []
    for path, mine in by_path.items():
        try:
            scores = run(path)
        except SourceError as error:
            unreadable.append(UnreadableVideo(path, str(error).removeprefix(f"{path}: ")))
            continue
        truths = tuple(truth for sample in mine for truth in _truths(sample, mapping, scores))
        labelled.append(LabelledVideo(scores, truths))
    return labelled, unreadable


def _truths(sample: Sample, mapping: LabelMapping, scores: VideoScores) -> list[TrueEvent]:
    start_s = sample.start_s or 0.0
    end_s = scores.duration_s if sample.end_s is None else min(sample.end_s, scores.duration_s)
    if start_s >= end_s:
        raise DataError(
            f"{sample.origin}: start {start_s:g} lies behind the end of {sample.path}, "
            f"which lasts {scores.duration_s:.1f} s"
        )
    classes = {mapping.class_of_label[label] for label in sample.labels} - {mapping.background}
    region = region_of(sample, scores.wh, scores.frame_pts_s)
    return [
        TrueEvent(mapping.classes[number], start_s, end_s, region) for number in sorted(classes)
    ]
