"""Clips by place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.factories import CROP, cached, small_model
from training.fitting.augmentation import ViewSpec
from training.fitting.clip_dataset import ClipDataset, MirrorRule, target_of

VIEWS = ViewSpec(scale=0.2, shift=0.05, colour=1.0)


def dataset(folder: Path, mirror: MirrorRule | None = None) -> ClipDataset:
    tracks = [cached(folder, "stand", 20), cached(folder, "walk", 200)]
    spec = small_model().input_spec
    return ClipDataset(tracks, spec, views=VIEWS, speed=0.15, mirror=mirror or MirrorRule(), seed=0)


def test_a_place_gives_the_same_view_every_time_and_another_place_another(tmp_path: Path) -> None:
    clips = dataset(tmp_path)
    first, label = clips[0, 3, 1]
    again, _ = clips[0, 3, 1]
    later, _ = clips[1, 3, 1]
    assert first.shape == (16, CROP, CROP, 3)
    assert first.dtype == torch.uint8
    assert label.item() == 1
    assert torch.equal(first, again)
    assert not torch.equal(first, later)


def test_a_track_with_a_gap_still_gives_a_clip(tmp_path: Path) -> None:
    clips = dataset(tmp_path)
    track = cached(tmp_path, "walk", 100)
    times = np.concatenate([track.pts_s[:15], track.pts_s[15:] + 5.0])
    clips._tracks = [replace(track, pts_s=times)]
    assert all(clips[0, n, 0][0].shape[0] == 16 for n in range(10))


def test_labels_become_an_index_or_a_row_of_zeros_and_ones() -> None:
    assert target_of(("walk",), small_model().input_spec).tolist() == 1
    several = small_model("a", "b", "c", multi_label=True).input_spec
    assert target_of(("c", "a"), several).tolist() == [1.0, 0.0, 1.0]


def test_only_labels_that_allow_it_are_mirrored() -> None:
    rule = MirrorRule.of(flip=True, never=["point_left"], becomes={"turn_left": "turn_right"})
    assert rule.allows(("walk",))
    assert not rule.allows(("walk", "point_left"))
    assert rule.mirrored(("turn_left", "walk")) == ("turn_right", "walk")
    assert rule.mirrored(("turn_right",)) == ("turn_left",)
    assert not MirrorRule().allows(("walk",))
    with pytest.raises(ValueError, match="turn_left: either"):
        MirrorRule.of(flip=True, never=["turn_left"], becomes={"turn_left": "turn_right"})


def test_mirrored_clips_have_the_mirrored_label(tmp_path: Path) -> None:
    rule = MirrorRule.of(flip=True, never=[], becomes={"stand": "walk"})
    mirroring, plain = dataset(tmp_path, rule), dataset(tmp_path)
    assert 0 < sum(int(mirroring[0, n, 0][1]) for n in range(20)) < 20
    assert sum(int(plain[0, n, 0][1]) for n in range(5)) == 0
