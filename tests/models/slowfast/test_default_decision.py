"""Thresholds that travel with weights are checked when they are read."""

from __future__ import annotations

import pytest

from models.slowfast.default_decision import DefaultDecision, LabelDecision

FIGHT = LabelDecision(start_threshold=0.7, end_threshold=0.5, temperature=1.5, chosen_for="1 %")
DECISION = DefaultDecision(labels={"fight": FIGHT}, chosen_at="2026-11-25", chosen_on=("a",))


def test_it_survives_json() -> None:
    assert DefaultDecision.from_json(DECISION.to_json()) == DECISION


def test_labels_without_an_entry_have_the_temperature_one() -> None:
    assert DECISION.temperatures(("walk", "fight")) == (1.0, 1.5)
    assert DECISION.temperatures(("walk",)) is None


def test_it_follows_its_labels_to_other_names() -> None:
    assert DECISION.renamed({"fight": "brawl", "walk": "go"}).labels == {"brawl": FIGHT}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "a JSON object with labels"),
        ('{"labels": {"fight": {"temprature": 1}}}', "decision of fight: expected the fields"),
        ('{"labels": {"fight": {"temperature": 0}}}', "fight: temperature must be above 0"),
        ('{"labels": {"fight": {"start_threshold": 0.5}}}', "belong together"),
        ('{"labels": {"fight": {"start_threshold": 0.5, "end_threshold": 0.6}}}', "end <= start"),
    ],
)
def test_what_cannot_work_is_named(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        DefaultDecision.from_json(text)
