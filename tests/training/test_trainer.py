"""Steps of the optimiser on two made clips."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.training.factories import small_model
from training.trainer import Plan, Trainer, learning_rate_share

PLAN = Plan(epochs=2, clips_per_epoch=4, batch_size=2, learning_rate=1e-3, seed=0)


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    shares = [learning_rate_share(step, 100) for step in range(100)]
    assert shares[0] < shares[4] == max(shares) == 1
    assert sorted(shares[5:], reverse=True) == shares[5:]
    assert shares[-1] < 0.01


def test_steps_lower_the_loss_on_two_clips() -> None:
    trainer = Trainer(small_model(), replace(PLAN, epochs=20))
    trainer.model.cls_head.dropout.p = 0.0
    crops = torch.zeros(2, 16, 32, 32, 3, dtype=torch.uint8)
    crops[1] = 200
    labels = torch.tensor([0, 1])
    losses = [trainer.step(crops, labels)["loss_cls"] for _ in range(8)]
    assert losses[-1] < 0.8 * losses[0]


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    trainer = Trainer(small_model(), PLAN)
    torch.nn.init.constant_(trainer.model.cls_head.fc_cls.bias, float("nan"))
    with pytest.raises(FloatingPointError, match="not a number"):
        trainer.step(torch.zeros(2, 16, 32, 32, 3, dtype=torch.uint8), torch.tensor([0, 1]))


def test_two_slow_frames_are_refused() -> None:
    model = small_model()
    model.input_spec = replace(model.input_spec, clip_len=8)
    with pytest.raises(ValueError, match="clip_len 8 with alpha 4"):
        Trainer(model, PLAN)
