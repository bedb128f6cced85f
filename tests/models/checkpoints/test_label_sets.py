"""Checkpoints that do not name their classes get the names of the data set that has as many."""

from __future__ import annotations

from pathlib import Path

import pytest
from torchvision.models.video import R3D_18_Weights

from models import CheckpointError, load_recognizer
from models.checkpoints.label_sets import (
    LABEL_SETS,
    choose_labels,
    guess_label_set,
    read_label_set,
)
from models.slowfast.recognizer3d import Recognizer3D
from tests.models.published_files import MMACTION2, PYSLOWFAST, save, small_network
from training.fitting.starting_point import with_classes

FIRST_AND_LAST = {
    "kinetics400": ("abseiling", "zumba"),
    "kinetics600": ("abseiling", "zumba"),
    "kinetics700": ("abseiling", "zumba"),
    "ava": ("bend/bow (at the waist)", "watch (a person)"),
    "ucf101": ("ApplyEyeMakeup", "YoYo"),
    "hmdb51": ("brush_hair", "wave"),
    "something_something_v2": (
        "Approaching something with your camera",
        "Wiping something off of something",
    ),
}


def network(classes: int, **changes: object) -> Recognizer3D:
    model = small_network(**changes)
    labels = [f"x{index}" for index in range(classes)]
    return with_classes(model, model.input_spec, labels, dropout=0.0).eval()


def test_every_list_has_its_classes_in_order() -> None:
    assert FIRST_AND_LAST.keys() == LABEL_SETS.keys()
    for name, count in LABEL_SETS.items():
        labels = read_label_set(name, count)
        assert len(set(labels)) == count
        assert (labels[0], labels[-1]) == FIRST_AND_LAST[name], name
        if name not in ("ava", "ucf101"):
            assert list(labels) == sorted(labels), name


def test_kinetics_is_as_torchvision_has_it() -> None:
    theirs = R3D_18_Weights.KINETICS400_V1.meta["categories"]
    assert list(read_label_set("kinetics400", 400)) == theirs


def test_ucf101_is_in_the_order_of_its_own_file() -> None:
    labels = read_label_set("ucf101", 101)
    assert labels[34:36] == ("Hammering", "HammerThrow")  # not the order of the alphabet
    assert labels[46:48] == ("JumpingJack", "JumpRope")


def test_ava_has_three_forms() -> None:
    assert len(read_label_set("ava", 60)) == 60
    assert read_label_set("ava", 80)[11] == read_label_set("ava", 81)[12] == "stand"
    assert read_label_set("ava", 60)[10] == "stand"
    assert read_label_set("ava", 81)[1:] == read_label_set("ava", 80)
    assert read_label_set("ava", 81)[0] == "class_0"  # mmaction2's first output is of no action


def test_the_evaluated_actions_of_ava_are_among_all_of_them_in_the_same_order() -> None:
    labels, evaluated = read_label_set("ava", 80), read_label_set("ava", 60)
    assert [label for label in labels if label in evaluated] == list(evaluated)
    assert labels[1] == "crawl"  # 20 actions are too rare to be evaluated
    assert labels[70:72] == ("kick (a person)", "kiss (a person)")


@pytest.mark.parametrize(
    ("classes", "boxes", "library", "expected"),
    [
        (400, False, "mmaction2", "kinetics400"),
        (600, False, "PySlowFast", "kinetics600"),
        (700, False, "mmaction2", "kinetics700"),
        (101, False, "mmaction2", "ucf101"),
        (51, False, "mmaction2", "hmdb51"),
        (174, False, "PySlowFast", "something_something_v2"),
        (174, False, "mmaction2", None),
        (80, True, "PySlowFast", "ava"),
        (81, True, "mmaction2", "ava"),
        (60, True, "PySlowFast", "ava"),
        (80, False, "mmaction2", None),
        (400, True, "mmaction2", None),
        (5, False, "mmaction2", None),
    ],
)
def test_the_number_of_classes_shows_the_data_set(
    classes: int, boxes: bool, library: str, expected: str | None
) -> None:
    assert guess_label_set(classes, boxes=boxes, library=library) == expected


def test_a_guess_is_reported_once_with_what_overrides_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = save(network(51), MMACTION2, tmp_path / "a.pth")
    assert load_recognizer(path).input_spec.labels == read_label_set("hmdb51", 51)
    assert len(caplog.records) == 1
    assert "by their number they are taken for those of hmdb51" in caplog.text
    assert "recognizer.labels" in caplog.text
    caplog.clear()
    assert load_recognizer(path, labels="none").input_spec.labels[50] == "class_50"
    assert not caplog.records
    (tmp_path / "names.txt").write_text("\n".join(f"n{index}" for index in range(51)))
    assert load_recognizer(path, labels=str(tmp_path / "names.txt")).input_spec.labels[0] == "n0"
    with pytest.raises(CheckpointError, match=r"a\.pth: labels: .*101 labels .* of 51 classes"):
        load_recognizer(path, labels="ucf101")


def test_two_data_sets_of_one_number_are_not_chosen_between(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = save(network(174), MMACTION2, tmp_path / "a.pth")
    assert load_recognizer(path).input_spec.labels[0] == "class_0"
    assert "or several" in caplog.text
    loaded = load_recognizer(path, labels="something_something_v2")
    assert loaded.input_spec.labels[0].startswith("Approaching")
    theirs = network(174, lateral_norm=True)
    loaded = load_recognizer(save(theirs, PYSLOWFAST, tmp_path / "a.pyth"))
    assert loaded.input_spec.labels[0].startswith("Approaching")


def test_a_name_that_is_neither_file_nor_data_set_is_an_error() -> None:
    with pytest.raises(ValueError, match="kinetics: neither a file of labels nor one of kinetics4"):
        choose_labels("kinetics", 400)
