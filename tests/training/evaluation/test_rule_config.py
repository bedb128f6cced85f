"""The rules that were found are a configuration that the pipeline takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config.schema import load_config
from pipeline.default_thresholds import decision_policy
from pipeline.stages.subject_decider import ActionRule
from tests.training.made_events import policy_of, track_of, true, video_of
from training.evaluation.labelled_videos import LabelledVideo
from training.evaluation.rule_config import rules_yaml
from training.evaluation.videos import evaluate_events
from training.metrics.label_mapping import map_labels


@pytest.mark.parametrize("label", ["fight", "no", "a: b # c", 'say "hi"', "Schlägerei", "1"])
def test_what_is_written_is_what_was_found(tmp_path: Path, label: str) -> None:
    scores = video_of(track_of([0.1] * 6 + [0.9] * 10 + [0.1] * 6), duration_s=3600)
    scores_labels = (label, "walk", "nothing")
    watched = LabelledVideo(replace(scores, labels=scores_labels), (true(5, 9.5, action=label),))
    mapping = map_labels([(label,)], scores_labels, ("nothing",), {})
    policy = policy_of({label: ActionRule(0.6, 0.4, 0.5, 0.75)}, smoothing_s=0.3)
    result = evaluate_events(
        [watched], mapping, policy, [label], iou=0.3, false_alarms_per_hour=0.5
    )
    file = tmp_path / "rules.yaml"
    file.write_text(rules_yaml(result, policy, "mine\nothers: 1"), encoding="utf-8")
    decision = load_config(file).decision
    assert decision.smoothing_s == 0.3
    loaded = decision_policy(scores_labels, decision)
    choice = result.actions[0].choice
    assert choice is not None
    assert choice.found.counts.recall == 1.0
    assert loaded.rules[label] == choice.found.rule
    assert loaded.rules[label].min_gap_s == 0.75
    assert "1 of 1 true events found, 0 false alarms" in file.read_text(encoding="utf-8")
