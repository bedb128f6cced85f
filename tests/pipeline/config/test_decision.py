"""Thresholds of all actions and of single ones."""

from __future__ import annotations

from pipeline.config.schema import load_config


def test_an_action_has_its_own_thresholds_and_the_others_keep_theirs() -> None:
    config = load_config(None, ["decision.per_action.fight.start_threshold=0.9"])
    assert config.decision.for_action("fight").start_threshold == 0.9
    assert config.decision.for_action("fight").end_threshold == config.decision.end_threshold
    assert config.decision.for_action("walk").start_threshold == config.decision.start_threshold
