"""From scores of clips to every number about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from training.evaluation.clip_results import ClipEvaluation, ClipScore, group_spread
from training.evaluation.clips import evaluate_clips
from training.labels.samples import Sample
from training.metrics.label_mapping import map_labels
from training.report.json_document import clips_document, to_json

MODEL = ("walk", "fight", "nothing", "kick")
Row = tuple[str, Sequence[float] | None, str | None]  # labels, scores, group


def evaluated(
    rows: Sequence[Row],
    *,
    background: Sequence[str] = ("nothing",),
    model_multi_label: bool = False,
) -> ClipEvaluation:
    scores = [
        ClipScore(
            Sample(Path(f"{n}.mp4"), tuple(label.split("|")), group=group),
            np.zeros((0, 4), np.float32) if values is None else np.array([values], np.float32),
            views=0 if values is None else 3,
            people=0 if values is None else 1,
            view=None,
        )
        for n, (label, values, group) in enumerate(rows)
    ]
    labels = [score.sample.labels for score in scores]
    mapping = map_labels(labels, MODEL, background, {})
    return evaluate_clips(scores, mapping, model_multi_label=model_multi_label, seed=0)


def test_a_person_classified_as_a_walker_is_not_a_fighter() -> None:
    result = evaluated(
        [
            ("fight", [0.1, 0.7, 0.1, 0.1], "a"),
            ("noFight", [0.6, 0.2, 0.1, 0.1], "a"),  # walk: there is no walk in this data
            ("noFight", [0.3, 0.4, 0.3, 0.0], "b"),
        ]
    )
    assert result.clips.classes == ("fight", "nothing")
    assert result.value("top1") == pytest.approx(2 / 3)
    assert result.confusion is not None
    assert result.confusion.tolist() == [[1, 0, 0], [1, 1, 0]]
    # Its confidence that the second one is no fight was 0.8, counting walk, nothing and kick.
    assert result.clips.confidence == pytest.approx([0.7, 0.8, 0.4])


def test_the_best_subject_decides_and_not_the_average() -> None:
    onlooker, fighter = [0.0, 0.1, 0.9, 0.0], [0.0, 0.7, 0.3, 0.0]
    sample = Sample(Path("a.mp4"), ("fight",))
    subjects = np.array([onlooker, onlooker, fighter], np.float32)
    scores = [ClipScore(sample, subjects, views=9, people=3, view=None)]
    mapping = map_labels([("fight",), ("nothing",)], MODEL, ("nothing",), {})
    result = evaluate_clips(scores, mapping, model_multi_label=False, seed=0)
    assert result.clips.hits().tolist() == [True]
    assert result.clips.confidence == pytest.approx([0.7])
    [clip] = clips_document(result)["clips"]
    assert clip["scores"] == [0, 0.7, 0.3, 0]
    assert len(clip["subjects"]) == 3


def test_two_classes_have_an_area_under_the_curve() -> None:
    rows: list[Row] = [
        ("fight", [0, 0.9, 0.1, 0], "a"), ("fight", [0, 0.4, 0.6, 0], "b"),
        ("nothing", [0, 0.5, 0.5, 0], "c"), ("nothing", None, "d"),
    ]  # fmt: skip
    assert evaluated(rows).value("area_under_curve") == 0.75
    assert evaluated([("walk", [1, 0, 0, 0], None)]).value("area_under_curve") is None


def test_a_clip_without_people_is_background() -> None:
    result = evaluated([("fight", None, None), ("nothing", None, None)])
    assert result.clips.hits().tolist() == [False, True]
    assert result.silent == 2
    assert result.value("calibration_error") is None  # no prediction has a confidence


def test_without_a_background_class_a_clip_without_people_is_wrong() -> None:
    result = evaluated([("walk", None, None), ("walk", [1, 0, 0, 0], None)], background=())
    assert result.clips.hits().tolist() == [False, True]
    assert result.confusion is not None
    assert result.confusion[0].tolist() == [1, 0, 0, 0, 1]


def test_groups_are_listed_from_the_worst_on_and_files_are_groups_of_their_own() -> None:
    right, wrong = [1, 0, 0, 0], [0, 1, 0, 0]
    rows: list[Row] = [("walk", right, "good"), ("walk", right, "bad"), ("walk", wrong, "bad")]
    result = evaluated(rows)
    assert [(each.group, each.clips, each.top1) for each in result.per_group] == [
        ("bad", 2, 0.5),
        ("good", 1, 1.0),
    ]
    spread = group_spread(result.per_group)
    assert (spread.groups, spread.lowest, spread.median, spread.highest) == (2, 0.5, 0.75, 1.0)
    assert spread.standard_deviation == 0.25
    alone = evaluated([("walk", right, None), ("walk", wrong, None)])
    assert {each.group for each in alone.per_group} == {"0.mp4", "1.mp4"}


def test_several_labels_have_average_precision_and_no_confusion() -> None:
    result = evaluated(
        [("walk|kick", [0.9, 0.1, 0.2, 0.8], None), ("fight", [0.2, 0.7, 0.1, 0.4], None)],
        model_multi_label=True,
        background=(),
    )
    assert result.confusion is None
    assert result.value("mean_class_accuracy") is None
    assert result.value("mean_average_precision") == 1.0
    assert result.value("top1") == 1.0


def test_the_document_is_json_and_complete() -> None:
    result = evaluated(
        [("fight", [0, 1, 0, 0], "a"), ("noFight", None, "b"), ("noFight", [0, 0.8, 0.2, 0], "c")]
    )
    document = clips_document(result)
    assert "NaN" not in to_json(document)
    for key in (
        "top1", "top5", "mean_class_accuracy", "confusion", "labels", "mean_average_precision",
        "calibration_error", "per_group", "intervals", "clips", "seed",
    ):  # fmt: skip
        assert key in document
    assert document["top5"] is None  # of two classes it would always be right
    low, high = document["intervals"]["top1"]
    assert low <= document["top1"] <= high
    assert document["confusion"] == [[1, 0], [1, 1]]
    assert document["label_counting"]["unknown_labels_counted_as_background"] == {"noFight": 2}
    assert document["label_counting"]["predictions_counted_as_background"] == ["walk", "kick"]
    first, silent, last = document["clips"]
    assert (first["path"], first["truth"], first["predicted"]) == ("0.mp4", ["fight"], "fight")
    assert (silent["scores"], silent["predicted"], silent["right"]) == (None, "nothing", True)
    assert (last["label_in_data"], last["truth"]) == (["noFight"], ["nothing"])
    assert last["scores"] == [0, 0.8, 0.2, 0]
