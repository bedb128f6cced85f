from __future__ import annotations

import pytest

from pipeline.runtime.backoff import next_pause_s


def pauses(count: int) -> list[float]:
    made = [0.0]
    for _ in range(count):
        made.append(next_pause_s(made[-1], first_s=0.5, longest_s=5.0))
    return made[1:]


def test_pauses_grow_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.runtime.backoff.random.uniform", lambda low, high: high)
    assert pauses(6) == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_pauses_are_shortened_at_random_and_never_to_nothing() -> None:
    many = pauses(1000)
    assert 0.35 <= many[0] <= 0.5
    assert all(3.5 <= pause_s <= 5.0 for pause_s in many[20:])
    assert len(set(many[20:])) > 900
