"""What a network was trained on is inherited by those that are trained on from it."""

from __future__ import annotations

import pytest

from models.slowfast.training_record import TrainingRecord, continued_record


def test_a_record_contains_that_of_the_weights_it_began_from() -> None:
    first = continued_record(TrainingRecord(), frozenset({"b"}), frozenset({"v"}))
    second = continued_record(first, frozenset({"a", "b"}), frozenset())
    assert second == TrainingRecord(trained_on=("a", "b"), chosen_on=("v",))
    assert second.seen == {"a", "b", "v"}
    assert TrainingRecord.from_json(second.to_json()) == second


def test_weights_without_a_record_stay_incomplete_for_ever() -> None:
    first = continued_record(None, frozenset({"a"}), frozenset())
    assert not continued_record(first, frozenset({"b"}), frozenset()).complete


@pytest.mark.parametrize("text", ["[]", "{}", '{"trained_on": []}'])
def test_something_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="a training record"):
        TrainingRecord.from_json(text)
