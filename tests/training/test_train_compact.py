"""The training loop on two made people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.factories import cached, small_model
from training.clip_cache import CachedTrack
from training.train_compact import make_batches, train
from training.trainer import Plan, Trainer

PLAN = Plan(epochs=2, clips_per_epoch=4, batch_size=2, learning_rate=1e-3, seed=0)


@pytest.fixture
def tracks(tmp_path: Path) -> list[CachedTrack]:
    people = [cached(tmp_path, "stand", 20), cached(tmp_path, "walk", 200)]
    return [*people, replace(people[0], split="test")]


def test_batches_of_an_epoch_repeat_and_epochs_differ(
    tmp_path: Path, tracks: list[CachedTrack]
) -> None:
    model = small_model()
    first, again = (list(make_batches(tmp_path, tracks, model, PLAN, 0)) for _ in range(2))
    (other, _), _ = make_batches(tmp_path, tracks, model, PLAN, 1)
    assert len(first) == 2
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(first, again, strict=True))
    assert not torch.equal(first[0][0], other)


def test_an_interrupted_run_ends_with_the_same_weights(
    tmp_path: Path, tracks: list[CachedTrack]
) -> None:
    straight = Trainer(small_model(), PLAN)
    train(straight, PLAN, tmp_path, tracks, tmp_path)
    (tmp_path / "last.pt").unlink()

    class Interrupted(Trainer):
        def state(self) -> dict[str, object]:
            if (tmp_path / "last.pt").exists():
                raise KeyboardInterrupt
            return super().state()

    with pytest.raises(KeyboardInterrupt):
        train(Interrupted(small_model(), PLAN), PLAN, tmp_path, tracks, tmp_path)
    resumed = Trainer(small_model(), PLAN)
    train(resumed, PLAN, tmp_path, tracks, tmp_path)
    expected, weights = straight.averaged().state_dict(), resumed.averaged().state_dict()
    assert all(torch.equal(weights[key], expected[key]) for key in expected)
    log = (tmp_path / "log.csv").read_text().splitlines()
    assert len(log) == 1 + 2 + 2  # header, two epochs straight, one before and one after
