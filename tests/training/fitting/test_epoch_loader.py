"""The batches of an epoch."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.training.factories import cached, small_model
from training.crops.crop_cache import CachedTrack
from training.fitting.augmentation import ViewSpec
from training.fitting.clip_dataset import ClipDataset, MirrorRule
from training.fitting.epoch_draw import EpochDraw
from training.fitting.epoch_loader import EpochLoader, EpochSampler


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
