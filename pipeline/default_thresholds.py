"""Whose thresholds hold: those of the configuration, of the weights, or of neither."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from difflib import get_close_matches

from models.slowfast.default_decision import DefaultDecision, LabelDecision
from pipeline.config.decision import DecisionConfig
from pipeline.errors import ConfigError
from pipeline.stages.subject_decider import ActionRule, DecisionPolicy

_LABELS_SHOWN = 20

log = logging.getLogger(__name__)


def decision_policy(
    labels: tuple[str, ...],
    decision: DecisionConfig,
    defaults: DefaultDecision | None = None,
    key: str = "decision",
) -> DecisionPolicy:
    """Make one rule per label that is not background.

    Args:
        labels: of the recognizer.
        decision: what is configured.
        defaults: of the weights, for labels whose thresholds are not configured; None: there are
            none.
        key: of the section, for messages.

    Raises:
        ConfigError: if the configuration names a label that the recognizer does not have.
    """
    # The default background class need not exist in a user's model; a threshold's label must.
    for action in decision.per_action:
        if action not in labels:
            raise ConfigError(f"{key}.per_action.{action}: {no_such_label(action, labels)}")
    for action in decision.actions or ():
        if action not in labels:
            raise ConfigError(f"{key}.actions: {action}: {no_such_label(action, labels)}")
    for action in set(decision.background) - {*labels, *DecisionConfig().background}:
        log.warning("decision.background: %s: %s", action, no_such_label(action, labels))
    rules = {}
    for label in labels:
        if decision.makes_events_of(label):
            rule = decision.for_action(label)
            start, end = thresholds_of_weights(label, decision, defaults) or rule.thresholds
            rules[label] = ActionRule(start, end, rule.min_duration_s, rule.min_gap_s)
    return DecisionPolicy(rules, decision.smoothing_s, decision.update_interval_s)


def no_such_label(action: str, labels: tuple[str, ...]) -> str:
    """Say that the recognizer does not have a label, and which it has."""
    if near := get_close_matches(action, labels, 1):
        return f"the recognizer has no such label; did you mean {near[0]}?"
    shown = ", ".join(labels[:_LABELS_SHOWN]) + (", ..." if len(labels) > _LABELS_SHOWN else "")
    return f"the recognizer has no such label; its {len(labels)} labels are {shown}"


def thresholds_of_weights(
    label: str, decision: DecisionConfig, defaults: DefaultDecision | None
) -> tuple[float, float] | None:
    """Return start and end as the weights have them; None if they are configured or not there."""
    rule = decision.for_action(label)
    own = None if defaults is None else defaults.labels.get(label)
    if own is None or own.start_threshold is None or own.end_threshold is None:
        return None
    if rule.start_threshold is not None or rule.end_threshold is not None:
        return None
    return own.start_threshold, own.end_threshold


def describe_rules(
    policy: DecisionPolicy, decision: DecisionConfig, defaults: DefaultDecision
) -> str:
    """Say which thresholds and temperatures come from where, in a line.

    Args:
        policy: that was made of the other two.
        decision: what is configured.
        defaults: of the weights.
    """
    sources: dict[str, list[str]] = {"the weights": [], "the configuration": [], "no choice": []}
    for label, rule in policy.rules.items():
        configured = decision.for_action(label)
        source = "no choice"
        if thresholds_of_weights(label, decision, defaults) is not None:
            source = "the weights"
        elif configured.start_threshold is not None or configured.end_threshold is not None:
            source = "the configuration"
        text = f"{label} {rule.start_threshold:g}/{rule.end_threshold:g}"
        sources[source].append(text)
    parts = [f"of {source}: {', '.join(texts)}" for source, texts in sources.items() if texts]
    calibrated = [
        f"{label} {one.temperature:g}"
        for label, one in defaults.labels.items()
        if one.temperature != 1.0
    ]
    temperatures = f"; temperatures of the weights: {', '.join(calibrated)}" if calibrated else ""
    return f"thresholds (start/end) {'; '.join(parts)}{temperatures}"


def merged_defaults(each: Iterable[DefaultDecision | None]) -> DefaultDecision | None:
    """Put the defaults of several recognizers together: of a label, those of the first with any."""
    labels: dict[str, LabelDecision] = {}
    for one in each:
        if one is not None:
            labels = {**one.labels, **labels}
    return DefaultDecision(labels=labels) if labels else None
