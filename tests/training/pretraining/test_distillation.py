"""Learning to predict features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.boxes import FloatArray
from models.slowfast.recognizer3d import Recognizer3D
from tests.training.factories import cached, tiny_model
from training.fitting.augmentation import ViewSpec
from training.pretraining.distillation import (
    ClipSet,
    DistillationSpec,
    distil,
    learning_rate_factor,
    teach,
)

SPEC = DistillationSpec(steps=3, batch_size=2)


class MeanColour:
    """A teacher; counts the clips."""

    def features(self, crops: np.ndarray) -> FloatArray:
        return np.asarray([crops.mean(), crops.std(), 1.0], np.float32)


def made_clips(folder: Path, model: Recognizer3D) -> ClipSet:
    return ClipSet([cached(folder, "any", level) for level in (20, 90, 160, 230)], model)


def distilled(folder: Path, steps: int | None = None) -> tuple[Recognizer3D, list[float]]:
    model = tiny_model()
    clips = made_clips(folder, model)
    features = teach(clips, MeanColour())  # type: ignore[arg-type]
    run = distil(model, clips, [features], ViewSpec(mix_prob=0.5), SPEC)
    losses = [next(run) for _ in range(steps)] if steps else list(run)
    run.close()
    return model, losses


def test_a_clip_is_the_middle_of_its_track_as_the_network_sees_it(tmp_path: Path) -> None:
    model = tiny_model()
    clips = made_clips(tmp_path, model)
    assert clips.seen(0).shape == (16, 32, 32, 3)
    assert teach(clips, MeanColour()).shape == (4, 3)  # type: ignore[arg-type]


def test_the_backbone_learns_and_the_classifier_stays(tmp_path: Path) -> None:
    before = tiny_model()
    model, losses = distilled(tmp_path)
    assert len(losses) == SPEC.steps
    assert np.isfinite(losses).all()
    name = "slow.stem.conv.weight"
    assert not torch.equal(model.backbone.state_dict()[name], before.backbone.state_dict()[name])
    assert torch.equal(model.cls_head.fc_cls.weight, before.cls_head.fc_cls.weight)


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    first, second = (distilled(tmp_path)[0].backbone.state_dict() for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_run_that_is_stopped_leaves_finite_averaged_weights(tmp_path: Path) -> None:
    model, losses = distilled(tmp_path, steps=1)
    assert len(losses) == 1
    assert all(value.isfinite().all() for value in model.backbone.state_dict().values())


def test_the_learning_rate_rises_and_falls_to_zero() -> None:
    factors = [learning_rate_factor(step, 100) for step in range(100)]
    assert factors[0] < factors[4] > 0.99
    assert factors[-1] < 0.001
