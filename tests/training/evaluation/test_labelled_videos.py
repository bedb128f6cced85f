"""Long labelled videos and their truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from tests.training.made_events import LABELS, track_of, video_of
from training.evaluation.labelled_videos import score_labelled_videos
from training.evaluation.video_scores import VideoScores
from training.labels.samples import DataError, Sample
from training.metrics.label_mapping import LabelMapping, map_labels

QUIET = [0.1] * 6


FIGHT = [*QUIET, *[0.9] * 10, *QUIET]  # from 5.0 s to 9.5 s


def run(path: Path) -> VideoScores:
    if path.name == "bad.mp4":
        raise SourceError(f"{path}: truncated")
    return video_of(
        track_of(FIGHT), track_of(FIGHT, track_id=2, x=300), duration_s=36.0, name=path.name
    )


def mapping_of(samples: Sequence[Sample]) -> LabelMapping:
    return map_labels([sample.labels for sample in samples], LABELS, ("nothing",), {})


def test_a_video_that_cannot_be_read_is_skipped_and_named() -> None:
    samples = [Sample(Path("bad.mp4"), ("nothing",)), Sample(Path("a.mp4"), ("nothing",))]
    watched, unreadable = score_labelled_videos(samples, mapping_of(samples), run)
    assert [video.scores.path.name for video in watched] == ["a.mp4"]
    assert [(one.path.name, one.reason) for one in unreadable] == [("bad.mp4", "truncated")]


def test_an_interval_behind_the_end_of_its_video_is_an_error() -> None:
    samples = [Sample(Path("a.mp4"), ("fight",), 50.0, 60.0, origin="events.csv:3")]
    with pytest.raises(DataError, match=r"events\.csv:3: start 50 lies behind the end of a\.mp4"):
        score_labelled_videos(samples, mapping_of(samples), run)
