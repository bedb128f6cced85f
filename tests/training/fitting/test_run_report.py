"""What a run reports about its model."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np

from training.fitting.run_report import RunReport, report_split
from training.fitting.validation import SampleScore
from training.labels.samples import Sample

LABELS = ("stand", "walk|run")


def report(**changes: object) -> RunReport:
    found = [
        SampleScore(Sample(Path("a.mp4"), ("stand",)), np.array([0.8, 0.2], np.float32)),
        SampleScore(Sample(Path("b.mp4"), ("walk|run",)), np.array([0.7, 0.3], np.float32)),
    ]
    values: dict[str, object] = {
        "model": "mine",
        "started_from": "a.safetensors",
        "labels": LABELS,
        "multi_label": False,
        "samples": Counter({("train", "stand"): 5, ("val", "stand"): 1}),
        "whole_frames": 2,
        "left_out": ("labels.csv:3: c.mp4: no such file",),
        "epochs": 10,
        "best_epoch": 7,
        "splits": (report_split("val", found, LABELS, multi_label=False),),
    }
    return RunReport(**(values | changes))  # type: ignore[arg-type]


def test_the_report_has_numbers_confusion_and_what_is_wrong() -> None:
    text = report().to_markdown()
    assert "the weights are those of epoch 7" in text
    assert "2 samples: top-1 0.500" in text
    assert "| stand | 1 |  | 100% |" in text
    assert "| b.mp4 | walk\\|run | stand |" in text
    assert "In 2 samples no person was tracked" in text
    assert "* labels.csv:3: c.mp4: no such file" in text


def test_a_report_without_held_out_samples_states_it() -> None:
    assert "its accuracy is unknown" in report(splits=()).to_markdown()


def test_json_has_the_scores_of_every_clip(tmp_path: Path) -> None:
    report().write(tmp_path)
    content = json.loads((tmp_path / "report.json").read_text())
    held_out = content["splits"]["val"]
    assert held_out["top1"] == 0.5
    assert held_out["clips"][1] == {"path": "b.mp4", "truth": ["walk|run"], "scores": [0.7, 0.3]}
    assert content["samples"][0] == {"split": "train", "label": "stand", "count": 5}
