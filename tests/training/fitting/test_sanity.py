"""Overfitting ten clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.training.factories import cached, float32_fabric, tiny_model
from training.fitting import sanity
from training.fitting.optimization import LearningRateSchedule, OptimizerSpec
from training.fitting.sanity import SanityError, overfit_ten_clips, ten_clips
from training.fitting.trainer import TrainerSpec

SPEC = TrainerSpec(
    schedule=LearningRateSchedule(steps=10),
    optimizer=OptimizerSpec(learning_rate=1e-2, weight_decay=0.05),
)
QUIET = Console(quiet=True)


def test_clips_that_differ_are_overfitted(tmp_path: Path) -> None:
    tracks = [cached(tmp_path, "stand", 20), cached(tmp_path, "walk", 200)]
    assert overfit_ten_clips(float32_fabric(), tiny_model(), tracks, SPEC, QUIET) < 100


def test_the_same_clip_under_two_labels_fails_and_names_what_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sanity, "MAX_STEPS", 15)
    track = cached(tmp_path, "stand", 100)
    other = replace(track.sample, labels=("walk",), origin="labels.csv:7")
    with pytest.raises(SanityError, match="cannot overfit 2 clips") as error:
        overfit_ten_clips(
            float32_fabric(), tiny_model(), [track, replace(track, sample=other)], SPEC, QUIET
        )
    assert "labels.csv:7: walk" in str(error.value)
    assert "the same clip under two labels" in str(error.value)


def test_the_ten_are_of_as_many_classes_as_there_are(tmp_path: Path) -> None:
    tracks = [cached(tmp_path, "stand", level) for level in range(20)]
    tracks += [cached(tmp_path, "walk", 200), cached(tmp_path, "walk", 210)]
    labels = [track.sample.labels[0] for track, _ in ten_clips(tracks, tiny_model())]
    assert len(labels) == 10
    assert labels.count("walk") == 2


def test_one_clip_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(SanityError, match="fewer than two clips"):
        ten_clips([cached(tmp_path, "stand", 20)], tiny_model())
