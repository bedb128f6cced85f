"""From true intervals and runs of the pipeline to judged events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.stages.subject_decider import ActionRule
from tests.training.made_events import LABELS, policy_of, track_of, video_of
from training.evaluation.labelled_videos import score_labelled_videos
from training.evaluation.video_scores import VideoScores
from training.evaluation.videos import actions_to_evaluate, evaluate_events
from training.labels.samples import DataError, PersonBox, Sample
from training.metrics.label_mapping import LabelMapping, map_labels

QUIET = [0.1] * 6
FIGHT = [*QUIET, *[0.9] * 10, *QUIET]  # from 5.0 s to 9.5 s
POLICY = policy_of(
    {"fight": ActionRule(0.6, 0.4, 0.5, 0.5), "walk": ActionRule(0.6, 0.4, 0.5, 0.5)}
)


def run(path: Path) -> VideoScores:
    if path.name == "bad.mp4":
        raise SourceError(f"{path}: truncated")
    return video_of(
        track_of(FIGHT), track_of(FIGHT, track_id=2, x=300), duration_s=36.0, name=path.name
    )


def mapping_of(samples: Sequence[Sample]) -> LabelMapping:
    return map_labels([sample.labels for sample in samples], LABELS, ("nothing",), {})


def test_true_and_false_events_are_judged_per_video() -> None:
    samples = [
        Sample(Path("a.mp4"), ("fight",), 5.0, 9.5, PersonBox((0, 0, 60, 60))),
        Sample(Path("street.mp4"), ("nothing",)),
    ]
    mapping = mapping_of(samples)
    watched, unreadable = score_labelled_videos(samples, mapping, run)
    assert unreadable == []
    assert [len(video.truths) for video in watched] == [1, 0]
    result = evaluate_events(
        watched, mapping, POLICY, ["fight"], iou=0.5, false_alarms_per_hour=None
    )
    [fight] = result.actions
    assert (fight.counts.truths, fight.counts.matched, fight.counts.false_alarms) == (1, 1, 3)
    assert result.camera_hours == pytest.approx(0.02)
    assert fight.counts.false_alarms_per_hour == pytest.approx(150)
    assert fight.choice is None
    verdicts = [(one.video.name, one.event.subject.id, one.verdict) for one in result.events]
    assert verdicts == [
        ("a.mp4", 1, "right"),
        ("a.mp4", 2, "false alarm"),
        ("street.mp4", 1, "false alarm"),
        ("street.mp4", 2, "false alarm"),
    ]


def test_a_true_interval_without_box_is_anybodys() -> None:
    samples = [Sample(Path("a.mp4"), ("fight",), 5.0, 9.5)]
    mapping = mapping_of(samples)
    watched, _ = score_labelled_videos(samples, mapping, run)
    result = evaluate_events(watched, mapping, POLICY, ["fight"], iou=0.5, false_alarms_per_hour=1)
    assert [one.verdict for one in result.events] == ["right", "repeated"]
    choice = result.actions[0].choice
    assert choice is not None
    assert (choice.reached, choice.found.counts.recall) == (True, 1.0)


def test_only_actions_that_are_labelled_are_judged_unless_asked_for() -> None:
    labelled = mapping_of([Sample(Path("a.mp4"), ("fight",)), Sample(Path("b.mp4"), ("nothing",))])
    nothing = mapping_of([Sample(Path("b.mp4"), ("nothing",))])
    assert actions_to_evaluate(labelled, POLICY, ()) == ("fight",)
    assert actions_to_evaluate(nothing, POLICY, ()) == ("fight", "walk")
    assert actions_to_evaluate(labelled, POLICY, ("walk", "walk")) == ("walk",)
    with pytest.raises(DataError, match="these are fight, walk"):
        actions_to_evaluate(labelled, POLICY, ("nothing",))
