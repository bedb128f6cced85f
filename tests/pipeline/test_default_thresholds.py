"""Thresholds of the weights hold where none are configured."""

from __future__ import annotations

from models.slowfast.default_decision import DefaultDecision, LabelDecision
from pipeline.config.schema import load_config
from pipeline.default_thresholds import decision_policy, describe_rules

OF_WEIGHTS = DefaultDecision(
    labels={
        "fight": LabelDecision(start_threshold=0.8, end_threshold=0.5, temperature=1.5),
        "walk": LabelDecision(temperature=1.5),
    }
)


def rules_with(*settings: str) -> dict[str, tuple[float, float]]:
    decision = load_config(None, [f"decision.{setting}" for setting in settings]).decision
    policy = decision_policy(("fight", "walk", "nothing"), decision, OF_WEIGHTS)
    return {
        label: (rule.start_threshold, rule.end_threshold) for label, rule in policy.rules.items()
    }


def test_thresholds_of_the_weights_hold_where_none_are_configured() -> None:
    assert rules_with() == {"fight": (0.8, 0.5), "walk": (0.6, 0.4)}
    assert rules_with("start_threshold=0.7") == {"fight": (0.7, 0.4), "walk": (0.7, 0.4)}
    assert rules_with("end_threshold=0.3") == {"fight": (0.6, 0.3), "walk": (0.6, 0.3)}
    one = rules_with("per_action={fight: {start_threshold: 0.9}}")
    assert one == {"fight": (0.9, 0.4), "walk": (0.6, 0.4)}
    assert rules_with("per_action={fight: {min_gap_s: 2}}")["fight"] == (0.8, 0.5)


def test_where_thresholds_come_from_is_said_in_a_line() -> None:
    decision = load_config(None, ["decision.per_action={walk: {start_threshold: 0.9}}"]).decision
    policy = decision_policy(("fight", "walk", "hug", "nothing"), decision, OF_WEIGHTS)
    assert describe_rules(policy, decision, OF_WEIGHTS) == (
        "thresholds (start/end) of the weights: fight 0.8/0.5; of the configuration: walk 0.9/0.4; "
        "of no choice: hug 0.6/0.4; temperatures of the weights: fight 1.5, walk 1.5"
    )
