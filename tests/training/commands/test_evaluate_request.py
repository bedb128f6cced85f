"""Options of `evaluate` that do not go together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError
from training.commands.evaluate_request import EvaluateRequest, FoldsRequest
from training.config import TrainConfig
from training.evaluation.view_options import WholeFrameViews

DEFAULTS: dict[str, Any] = {
    "data": None,
    "events": None,
    "everyday": None,
    "tracking": None,
    "video": None,
    "detection": None,
    "label_file": None,
    "through_pipeline": False,
    "whole_frame": None,
    "split": None,
    "aliases": {},
    "actions": (),
    "iou": 0.5,
    "false_alarms_per_hour": None,
    "seed": 0,
    "cache": Path("cache"),
    "json_file": None,
    "report": None,
    "rules_file": None,
    "command": "evaluate",
}
FILE, WEIGHTS = Path("file"), Path("new.safetensors")
FOLDS = FoldsRequest(3, TrainConfig(), (), Path("folds"))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "nothing to evaluate"),
        ({"data": FILE, "observations": ("kept",)}, "stand for the videos of --events"),
        ({"events": FILE, "report": FILE, "observations": ("kept",)}, "stand for the videos"),
        ({"detection": FILE, "report": FILE}, "--report shows clips and events"),
        ({"tracking": FILE}, "--tracking and --video belong together"),
        ({"data": FILE, "video": FILE}, "--tracking and --video belong together"),
        ({"events": FILE, "whole_frame": WholeFrameViews()}, "give --data"),
        (
            {"data": FILE, "through_pipeline": True, "whole_frame": WholeFrameViews()},
            "no --through-pipeline",
        ),
        ({"data": FILE, "false_alarms_per_hour": 1.0}, "give --events"),
        ({"events": FILE, "rules_file": FILE}, "--write-config writes what"),
        ({"events": FILE, "calibrate": True}, "fitted on labelled clips: give --data"),
        ({"events": FILE, "weights_file": WEIGHTS}, "give --target-false-alarms too"),
        ({"data": FILE, "events": FILE, "weights_file": WEIGHTS}, "what one kind of data chose"),
        ({"data": FILE, "weights_file": FILE}, "name it .safetensors"),
        ({"detection": FILE, "folds": FOLDS}, "distributes labelled clips: give --data"),
        ({"data": FILE, "events": FILE, "folds": FOLDS}, "judged by one model: without --folds"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        EvaluateRequest(**DEFAULTS | options)


def test_everything_may_be_evaluated_in_one_run() -> None:
    asked = dict.fromkeys(("data", "events", "everyday", "tracking", "video", "detection"), FILE)
    assert EvaluateRequest(**DEFAULTS | asked | {"false_alarms_per_hour": 0.0, "rules_file": FILE})
