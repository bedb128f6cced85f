"""Background clips are judged by what the model answers, never right by construction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.stages.subject_decider import ActionRule
from tests.training.made_events import LABELS, policy_of, track_of
from training.evaluation.background_clips import judge_background, label_answers
from training.evaluation.clip_results import ClipScore
from training.evaluation.clips import evaluate_clips
from training.evaluation.video_scores import SubjectScores
from training.labels.samples import Sample
from training.metrics.label_mapping import map_labels

HIGHEST, ABOVE, QUIET = (0.6, 0.1, 0.3), (0.35, 0.45, 0.2), (0.1, 0.2, 0.7)  # fight, walk, nothing


def clip(scores: tuple[float, ...], *, label: str = "noFight", name: str = "a") -> ClipScore:
    return ClipScore(
        Sample(Path(f"{name}.mp4"), (label,)), np.array([scores], np.float32), 1, 1, None
    )


def timed(*tracks: SubjectScores, name: str = "a", seconds: float = 9.0) -> ClipScore:
    sample = Sample(Path(f"{name}.mp4"), ("noFight",), kind="hug")
    means = np.stack([track.scores.mean(axis=0) for track in tracks])
    return ClipScore(sample, means, 1, len(tracks), None, tracks, seconds)


def test_twelve_of_28_everyday_clips_that_score_fight_above_nothing_show() -> None:
    scores = [clip(HIGHEST)] * 9 + [clip(ABOVE)] * 3 + [clip(QUIET)] * 16
    mapping = map_labels([("noFight",)] * 28, LABELS, ("nothing",), {"noFight": "nothing"})
    evaluation = evaluate_clips(scores, mapping, model_multi_label=False, seed=0)
    assert evaluation.value("top1") == pytest.approx(16 / 28)  # it was 1, by construction
    (answers,) = label_answers(scores, LABELS, ("nothing",))
    assert (answers.label, answers.clips, answers.unanswered) == ("noFight", 28, 0)
    assert answers.highest == {"fight": 9, "walk": 3, "nothing": 16}
    assert answers.above_background == {"fight": 12, "walk": 3}


def test_a_table_of_two_classes_says_what_the_other_labels_took() -> None:
    scores = [clip(ABOVE, label="fight"), clip(HIGHEST, label="fight"), clip(QUIET), clip(ABOVE)]
    nobody = ClipScore(Sample(Path("b.mp4"), ("fight",)), np.zeros((0, 0), np.float32), 0, 0, None)
    fight, rest = label_answers([*scores, nobody], LABELS, ("nothing",))
    assert (fight.label, fight.highest) == ("fight", {"walk": 1, "fight": 1})
    assert (fight.clips, fight.unanswered) == (3, 1)
    assert (rest.label, rest.highest) == ("noFight", {"walk": 1, "nothing": 1})


def test_what_would_start_follows_the_rules_where_there_are_scores_in_time() -> None:
    mapping = map_labels([("noFight",), ("fight",)], LABELS, ("nothing",), {"noFight": "nothing"})
    policy = policy_of({"fight": ActionRule(0.6, 0.4, 1.0, 0.5)})
    long = track_of([0.9, 0.9, 0.9, 0.9, 0.0, 0.0])
    flicker = track_of([0.9, 0.0, 0.9, 0.0, 0.9, 0.0], track_id=2)  # never a second above
    short, low = track_of([0.9, 0.7]), track_of([0.9, 0.1])  # half a second: no rule could hold
    scores = [
        timed(long, flicker, name="long"),
        timed(flicker, name="flicker"),
        timed(short, name="short"),
        timed(low, name="low"),
        clip(HIGHEST, label="fight"),  # no background
    ]
    result = judge_background(scores, mapping, LABELS, policy)
    assert result is not None
    assert [(one.path.stem, len(one.alarms)) for one in result.negatives] == [
        ("long", 1),
        ("flicker", 0),
        ("short", 1),
        ("low", 0),
    ]
    assert result.without_rules == 1
    assert (result.total.alarmed, result.total.negatives) == (2, 4)
    assert result.total.hours == pytest.approx(36 / 3600)
    assert result.kinds[0].kind == "hug"


def test_without_a_background_clip_there_is_nothing_to_start() -> None:
    mapping = map_labels([("fight",)], LABELS, ("nothing",), {})
    assert judge_background([clip(HIGHEST, label="fight")], mapping, LABELS, policy_of()) is None
