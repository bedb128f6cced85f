"""The batches of an epoch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.factories import cached, small_model
from training.crops.crop_cache import CachedTrack
from training.fitting.augmentation import ViewSpec
from training.fitting.clip_dataset import ClipDataset, MirrorRule
from training.fitting.epoch_loader import (
    Balance,
    EpochDraw,
    EpochLoader,
    EpochSampler,
    class_weights,
    clips_per_epoch,
)
from training.labels.samples import Sample

NOTHING = np.zeros(0)


def made(folder: Path, clips: int, rank: int = 0, world: int = 1) -> EpochSampler:
    return EpochSampler(
        EpochDraw(people(folder), ("stand", "walk"), "class", 0), clips, rank, world
    )


def people(folder: Path) -> list[CachedTrack]:
    return [cached(folder, "stand", 20), cached(folder, "walk", 200)]


def loader(folder: Path, clips: int, workers: int = 0) -> EpochLoader:
    dataset = ClipDataset(
        people(folder),
        small_model().input_spec,
        views=ViewSpec(shift=0.1),
        speed=0.15,
        mirror=MirrorRule(),
        seed=0,
    )
    return EpochLoader(dataset, made(folder, clips), batch_size=2, workers=workers)


def test_an_epoch_can_begin_anywhere_and_be_shared_by_processes(tmp_path: Path) -> None:
    whole = made(tmp_path, 24)
    whole.start_at(2, 0)
    all_places = list(whole)
    whole.start_at(2, 8)
    assert list(whole) == all_places[8:]
    assert len(whole) == 16
    shared = [made(tmp_path, 24, rank, 2) for rank in (0, 1)]
    for sampler in shared:
        sampler.start_at(2, 8)
    assert sorted([*shared[0], *shared[1]]) == all_places[8:]


def test_batches_are_full_and_repeat(tmp_path: Path) -> None:
    clips = loader(tmp_path, 6)
    first, again, later = ([crops for crops, _ in clips.batches(epoch, 0)] for epoch in (0, 0, 1))
    assert [len(crops) for crops in first] == [2, 2, 2]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], later[0])
    assert len(list(clips.batches(0, 4))) == 1


def test_clips_that_another_process_reads_are_the_same(tmp_path: Path) -> None:
    here, there = (
        [crops for crops, _ in loader(tmp_path, 4, workers).batches(0, 0)] for workers in (0, 1)
    )
    assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))


def listed(labels: str, group: str | None = None) -> CachedTrack:
    sample = Sample(Path("a.mp4"), tuple(labels.split("|")), group=group)
    return CachedTrack(sample, Path("none"), NOTHING, NOTHING, NOTHING, False)  # type: ignore


TRACKS = [listed("walk", "a")] * 90 + [listed("walk", "b")] * 10 + [listed("hug", "a")] * 2


def shares(balance: Balance, count: int = 4000) -> dict[tuple[str, str | None], float]:
    rows = EpochDraw(TRACKS, ("walk", "hug"), balance, seed=0).rows(0, count)
    drawn = Counter((TRACKS[row].sample.labels[0], TRACKS[row].sample.group) for row in rows)
    return {key: number / count for key, number in drawn.items()}


def test_rare_classes_are_drawn_as_often_as_frequent_ones() -> None:
    drawn = shares("class")
    assert drawn["hug", "a"] == pytest.approx(0.5, abs=0.03)
    assert drawn["walk", "b"] == pytest.approx(0.05, abs=0.02)


def test_groups_of_a_class_may_be_drawn_alike_too() -> None:
    assert shares("class_and_group")["walk", "b"] == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("balance", ["none", "loss"])
def test_without_balance_everything_comes_once_before_anything_comes_again(
    balance: Balance,
) -> None:
    rows = EpochDraw(TRACKS, ("walk", "hug"), balance, seed=0).rows(3, 150)
    assert sorted(rows[: len(TRACKS)]) == list(range(len(TRACKS)))
    assert len(set(rows[len(TRACKS) :])) == 150 - len(TRACKS)


def test_a_clip_with_two_labels_is_drawn_for_both() -> None:
    tracks = [listed("walk|point")] + [listed("walk")] * 9
    rows = EpochDraw(tracks, ("walk", "point"), "class", seed=0).rows(0, 2000)
    assert (rows == 0).mean() == pytest.approx(0.55, abs=0.05)


def test_epochs_and_seeds_differ_and_repeat() -> None:
    draw = EpochDraw(TRACKS, ("walk", "hug"), "class", seed=0)
    np.testing.assert_array_equal(draw.rows(1, 50), draw.rows(1, 50))
    assert (draw.rows(1, 50) != draw.rows(2, 50)).any()
    other = EpochDraw(TRACKS, ("walk", "hug"), "class", seed=1)
    assert (draw.rows(1, 50) != other.rows(1, 50)).any()


def test_weights_of_the_loss_are_inverse_to_how_often_a_class_occurs() -> None:
    walk, hug = class_weights(TRACKS, ("walk", "hug"))
    assert hug / walk == pytest.approx(50)
    assert (100 * walk + 2 * hug) / 102 == pytest.approx(1)


def test_an_epoch_of_few_clips_shows_them_more_than_once() -> None:
    assert clips_per_epoch(TRACKS, None) == 256
    assert clips_per_epoch(TRACKS * 10, None) == 1020
    assert clips_per_epoch(TRACKS, 7) == 7
