"""The input spec's checks and its way through JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from models.slowfast.input_spec import InputSpec
from models.slowfast.zoo import slowfast_compact

SPEC = slowfast_compact(3).input_spec


def test_json_brings_back_the_same_spec() -> None:
    spec = replace(SPEC, labels=("stand", "walk"), slow_sampling="linspace", target_fps=29.97)
    assert InputSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clip_len": 18}, "clip_len 18 must be a multiple of alpha 4"),
        ({"frame_interval": 0}, "frame_interval must be above 0"),
        ({"target_fps": float("nan")}, "target_fps must be above 0"),
        ({"labels": ("walk", "walk")}, "labels must be there and differ"),
        ({"labels": ()}, "labels must be there and differ"),
        ({"std": (1.0, 0.0, 1.0)}, "std above 0"),
        ({"crop_margin": -0.1}, "crop_margin must be 0 or more"),
        ({"slow_sampling": "random"}, "slow_sampling must be one of"),
        ({"group_labels": ("jump",)}, "group_labels must be among the labels"),
        ({"group_margin": -0.1}, "group_margin must be 0 or more"),
        ({"colour_order": "gbr"}, "colour_order must be one of"),
    ],
)
def test_a_value_that_cannot_work_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SPEC, **change)


def test_a_missing_and_an_unknown_field_are_both_named() -> None:
    values = json.loads(SPEC.to_json())
    values["colour"] = values.pop("mean")
    with pytest.raises(ValueError, match=r"not so: \['colour', 'mean'\]"):
        InputSpec.from_json(json.dumps(values))


def test_a_field_with_a_default_may_be_missing() -> None:
    values = json.loads(SPEC.to_json())
    del values["colour_order"], values["target_fps"]
    assert InputSpec.from_json(json.dumps(values)) == SPEC


def test_a_file_of_before_groups_has_labels_of_persons_alone() -> None:
    values = json.loads(SPEC.to_json())
    del values["group_labels"], values["group_margin"]
    assert InputSpec.from_json(json.dumps(values)).group_labels == ()


def test_other_names_keep_who_a_label_is_of_and_other_classes_do_not() -> None:
    spec = replace(SPEC, labels=("stand", "fight", "hug"), group_labels=("fight", "hug"))
    assert spec.relabelled(("a", "b", "c")).group_labels == ("b", "c")
    assert spec.relabelled(("a", "b")).group_labels == ()


def test_interval_is_in_seconds() -> None:
    assert replace(SPEC, frame_interval=2, target_fps=30.0).interval_s == pytest.approx(1 / 15)
