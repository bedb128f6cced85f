"""The rules that were found, as a configuration for `replay` and `live`."""

from __future__ import annotations

import json

from models.slowfast.default_decision import DefaultDecision, LabelDecision
from pipeline.stages.subject_decider import DecisionPolicy
from training.evaluation.threshold_search import RuleChoice
from training.evaluation.videos import EventEvaluation
from training.metrics.event_metrics import EventCounts


def rules_yaml(evaluation: EventEvaluation, policy: DecisionPolicy, model: str) -> str:
    """Format the searched rules as a YAML file that holds nothing else.

    Args:
        evaluation: with a search.
        policy: under which it was made: the smoothing belongs to the thresholds.
        model: its name, for the reader.
    """
    target = evaluation.false_alarms_per_hour
    lines = [
        f"# Rules for at most {target:g} false alarms per camera hour and action, found by",
        f"# `run_pipeline.py evaluate` on {evaluation.camera_hours:.2f} camera hours.",
        f"# For the model {json.dumps(model)}; for another one or other cameras, search again.",
        "decision:",
        f"  smoothing_s: {policy.smoothing_s}",
        "  per_action:",
    ]
    for action in evaluation.actions:
        if action.choice is not None:
            lines += _lines(action.action, action.choice)
    return "\n".join(lines) + "\n"


def decision_of_rules(
    evaluation: EventEvaluation,
    before: DefaultDecision | None,
    *,
    chosen_at: str,
    chosen_on: frozenset[str],
) -> DefaultDecision:
    """Return what the weights are to carry: the thresholds that keep the rate of false alarms.

    Args:
        evaluation: with a search.
        before: what they carry now: its temperatures stay, and what was not searched.
        chosen_at: UTC.
        chosen_on: fingerprints of the videos.
    """
    labels = {} if before is None else dict(before.labels)
    for action in evaluation.actions:
        if action.choice is None or not action.choice.reached:
            continue
        rule, had = action.choice.found.rule, labels.get(action.action, LabelDecision())
        labels[action.action] = LabelDecision(
            start_threshold=rule.start_threshold,
            end_threshold=rule.end_threshold,
            temperature=had.temperature,
            chosen_for=f"at most {evaluation.false_alarms_per_hour:g} false alarms per camera hour "
            f"on {evaluation.camera_hours:.2f} hours: {_what_it_does(action.choice)}",
        )
    old = () if before is None else before.chosen_on
    return DefaultDecision(
        labels=labels, chosen_at=chosen_at, chosen_on=tuple(sorted(chosen_on.union(old)))
    )


def _lines(action: str, choice: RuleChoice) -> list[str]:
    rule = choice.found.rule
    values = {
        "start_threshold": rule.start_threshold,
        "end_threshold": rule.end_threshold,
        "min_duration_s": rule.min_duration_s,
        "min_gap_s": rule.min_gap_s,
    }
    written = ", ".join(f"{key}: {value}" for key, value in values.items())
    name = json.dumps(action, ensure_ascii=False)  # a JSON string is a YAML string
    return [f"    # {_what_it_does(choice)}", f"    {name}: {{{written}}}"]


def _what_it_does(choice: RuleChoice) -> str:
    counts: EventCounts = choice.found.counts
    found = (
        f"{counts.matched} of {counts.truths} true events found"
        if counts.truths
        else ("no true event was in the data")
    )
    missed = "" if choice.reached else "; the rate was not reached"
    return f"{found}, {counts.false_alarms} false alarms{missed}"
