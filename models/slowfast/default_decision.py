"""Thresholds and temperatures that travel with the weights, as defaults of the configuration."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDecision:
    """How the scores of one label are read.

    Raises:
        ValueError: naming the field, if a value cannot work.
    """

    start_threshold: float | None = None  # None: nothing was chosen
    end_threshold: float | None = None  # given together with the start threshold
    temperature: float = 1.0  # of the logarithms of the scores
    chosen_for: str = ""  # for which rate of false alarms, on how much data; a sentence

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature must be above 0, got {self.temperature}")
        start, end = self.start_threshold, self.end_threshold
        if (start is None) != (end is None):
            raise ValueError("start_threshold and end_threshold belong together")
        if start is not None and end is not None and not 0 <= end <= start <= 1:
            raise ValueError(
                f"thresholds must be 0 <= end <= start <= 1, got {start} and {end} (start, end)"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultDecision:
    """The defaults of some or all labels of a network."""

    labels: Mapping[str, LabelDecision]
    chosen_at: str = ""  # UTC
    chosen_on: tuple[str, ...] = field(default=())  # fingerprints of the videos, sorted

    def temperatures(self, labels: Sequence[str]) -> tuple[float, ...] | None:
        """Return a temperature per label in order; None if all of them are one."""
        values = tuple(
            self.labels[label].temperature if label in self.labels else 1.0 for label in labels
        )
        return None if all(value == 1.0 for value in values) else values

    def renamed(self, names: Mapping[str, str]) -> DefaultDecision:
        """Return the same defaults for labels of other names."""
        renamed = {names.get(label, label): value for label, value in self.labels.items()}
        return DefaultDecision(labels=renamed, chosen_at=self.chosen_at, chosen_on=self.chosen_on)

    def to_json(self) -> str:
        """Encode as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> DefaultDecision:
        """Read what `to_json` wrote; a field that has a default may be missing.

        Raises:
            ValueError: if it is something else, or a value cannot work.
        """
        values = json.loads(text)
        if not isinstance(values, dict) or not isinstance(values.get("labels"), dict):
            raise ValueError(f"a decision must be a JSON object with labels, got {text[:80]!r}")
        labels = {label: _label_decision(label, one) for label, one in values["labels"].items()}
        return cls(
            labels=labels,
            chosen_at=str(values.get("chosen_at", "")),
            chosen_on=tuple(map(str, values.get("chosen_on", ()))),
        )


def _label_decision(label: str, values: Any) -> LabelDecision:
    known = {one.name for one in fields(LabelDecision)}
    if not isinstance(values, dict) or values.keys() - known:
        raise ValueError(f"decision of {label}: expected the fields {sorted(known)}, got {values}")
    try:
        return LabelDecision(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"decision of {label}: {error}") from error
