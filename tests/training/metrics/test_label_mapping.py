"""How labels of the data meet labels of a model."""

from __future__ import annotations

import numpy as np
import pytest

from training.labels.samples import DataError
from training.metrics.label_mapping import map_labels, numbered_aliases

MODEL = ("walk", "fight", "nothing", "kick")


def test_labels_that_both_have_stay_as_they_are() -> None:
    mapping = map_labels([("fight",), ("walk",)], MODEL, ("nothing",), {})
    assert mapping.classes == MODEL
    assert mapping.truth(("walk",)).tolist() == [True, False, False, False]
    assert mapping.merged_predictions == ()
    assert mapping.warnings() == []


def test_an_unknown_label_is_background_and_is_reported() -> None:
    mapping = map_labels([("fight",), ("noFight",), ("noFight",)], MODEL, ("nothing",), {})
    assert mapping.classes == ("fight", "nothing")
    assert mapping.truth(("noFight",)).tolist() == [False, True]
    assert mapping.taken_as_background == {"noFight": 2}
    first, second = mapping.warnings()
    assert "noFight (2 clips)" in first
    assert "--alias noFight=nothing" in first
    assert "walk, kick" in second


def test_an_alias_maps_a_label_without_a_warning_about_the_label() -> None:
    mapping = map_labels([("fight",), ("noFight",)], MODEL, ("nothing",), {"noFight": "nothing"})
    assert mapping.classes == ("fight", "nothing")
    assert mapping.taken_as_background == {}
    assert len(mapping.warnings()) == 1


def test_a_prediction_of_a_label_the_data_lacks_is_background_while_there_is_background() -> None:
    mapping = map_labels([("fight",), ("nothing",)], MODEL, ("nothing",), {})
    scores = np.array([0.35, 0.4, 0.05, 0.2], np.float32)  # the best label is fight
    assert mapping.best_scores(scores) == pytest.approx([0.4, 0.35])
    assert mapping.total_scores(scores) == pytest.approx([0.4, 0.6])
    assert mapping.merged_predictions == ("walk", "kick")


def test_where_background_is_all_there_is_no_other_answer_counts_as_background() -> None:
    mapping = map_labels([("noFight",), ("noFight",)], MODEL, ("nothing",), {"noFight": "nothing"})
    assert mapping.classes == MODEL
    assert mapping.merged_predictions == ()
    (warning,) = mapping.warnings()
    assert "background clips alone" in warning
    assert "decision.background=[nothing,LABEL]" in warning


def test_events_are_of_one_label_each_whatever_the_data_contains() -> None:
    mapping = map_labels([("nothing",)], MODEL, ("nothing",), {}, merge_predictions=False)
    assert mapping.classes == MODEL
    assert mapping.warnings() == []


def test_numbers_without_names_are_those_of_the_models_labels() -> None:
    clips = [("class_2",), ("class_0",), ("class_2",)]
    assert numbered_aliases(clips, MODEL) == {"class_0": MODEL[0], "class_2": MODEL[2]}
    assert numbered_aliases([*clips, ("class_99",)], MODEL) == {}  # counted otherwise
    assert numbered_aliases([*clips, ("fight",)], MODEL) == {}
    assert numbered_aliases(clips, ("class_0", "class_1", "class_2")) == {}


def test_several_background_labels_are_one_class() -> None:
    mapping = map_labels([("b",), ("a",)], ("a", "b", "c"), ("b", "c"), {})
    assert mapping.classes == ("a", "b")
    assert mapping.class_of_score == (0, 1, 1)
    assert mapping.background == 1


def test_several_labels_of_a_clip_are_all_true() -> None:
    mapping = map_labels([("walk", "kick")], MODEL, ("nothing",), {})
    assert mapping.truth(("walk", "kick")).tolist() == [True, False, False, True]


@pytest.mark.parametrize(
    ("aliases", "background", "expected"),
    [
        ({}, ("other",), "no label noFight and no background label; its labels are walk, fight"),
        ({"noFight": "peace"}, ("nothing",), "has no label peace"),
        ({"nofight": "nothing"}, ("nothing",), "no clip has the label nofight"),
    ],
)
def test_what_cannot_be_meant_is_an_error_that_lists_the_labels(
    aliases: dict[str, str], background: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(DataError, match=expected):
        map_labels([("noFight",)], MODEL, background, aliases)
