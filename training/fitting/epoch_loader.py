"""The batches of an epoch, from any position on, for one of several processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Sampler

from training.crops.crop_cache import CachedTrack
from training.fitting.clip_dataset import Batch, ClipDataset, Place

Balance = Literal["class", "class_and_group", "loss", "none"]
MIN_CLIPS = 256  # of an epoch: fewer show little of the progress


def clips_per_epoch(tracks: Sequence[CachedTrack], wanted: int | None) -> int:
    """Return the clips of an epoch: as configured, else one per track and at least MIN_CLIPS."""
    return wanted or max(len(tracks), MIN_CLIPS)


class EpochDraw:
    """Draws the tracks of an epoch; the same ones for the same seed and epoch.

    Args:
        tracks: to draw from.
        labels: the classes.
        balance: "class" draws every class as often as another, whatever there is of it, with
            replacement; "class_and_group" every group of it, too; "loss" and "none" take
            everything once before anything comes again.
        seed: of the draws.
    """

    def __init__(
        self, tracks: Sequence[CachedTrack], labels: Sequence[str], balance: Balance, seed: int
    ) -> None:
        self._count, self._seed = len(tracks), seed
        self._pools: list[list[NDArray[np.intp]]] = []
        if balance in ("class", "class_and_group"):
            grouped = balance == "class_and_group"
            pools = [_pools_of(label, tracks, grouped=grouped) for label in labels]
            self._pools = [pool for pool in pools if pool]

    def rows(self, epoch: int, count: int) -> NDArray[np.intp]:
        """Draw the row numbers of the tracks of an epoch: int (count,)."""
        rng = np.random.default_rng([self._seed, epoch])
        if not self._pools:
            rounds = -(-count // self._count)
            return np.concatenate([rng.permutation(self._count) for _ in range(rounds)])[:count]
        return np.array([self._draw(rng) for _ in range(count)], np.intp)

    def _draw(self, rng: np.random.Generator) -> int:
        pools = self._pools[rng.integers(len(self._pools))]
        pool = pools[rng.integers(len(pools))]
        return int(pool[rng.integers(len(pool))])


def _pools_of(
    label: str, tracks: Sequence[CachedTrack], *, grouped: bool
) -> list[NDArray[np.intp]]:
    by_group: dict[str | None, list[int]] = {}
    for number, track in enumerate(tracks):
        if label in track.sample.labels:
            group = track.sample.group if grouped else None
            by_group.setdefault(group, []).append(number)
    return [np.array(numbers, np.intp) for numbers in by_group.values()]


def class_weights(tracks: Sequence[CachedTrack], labels: Sequence[str]) -> tuple[float, ...]:
    """Weigh classes inversely to their frequency; the mean over the tracks is 1."""
    counts = np.array(
        [sum(label in track.sample.labels for track in tracks) for label in labels], float
    )
    weights = counts.sum() / np.maximum(counts, 1) / max((counts > 0).sum(), 1)
    return tuple(float(weight) for weight in weights)


class EpochSampler(Sampler[Place]):
    """The places of one epoch for one of several processes, from any position on.

    Args:
        draw: of the tracks.
        count: clips of an epoch, over all processes.
        rank: number of this process.
        world: how many there are.
    """

    def __init__(self, draw: EpochDraw, count: int, rank: int = 0, world: int = 1) -> None:
        self._draw, self._count, self._rank, self._world = draw, count, rank, world
        self._epoch = self._first = 0

    def __len__(self) -> int:
        return len(range(self._first + self._rank, self._count, self._world))

    def start_at(self, epoch: int, first: int) -> None:
        """Set what the next iteration gives: this epoch, without its first `first` clips."""
        self._epoch, self._first = epoch, first

    def __iter__(self) -> Iterator[Place]:
        rows = self._draw.rows(self._epoch, self._count)
        for position in range(self._first + self._rank, self._count, self._world):
            yield self._epoch, position, int(rows[position])


class EpochLoader:
    """Reads the clips of epochs; its worker processes stay from one to the next.

    Args:
        clips: by place.
        sampler: gives the places.
        batch_size: clips of a batch; an incomplete one is dropped.
        workers: processes that read; 0: this one.
    """

    def __init__(
        self, clips: ClipDataset, sampler: EpochSampler, *, batch_size: int, workers: int
    ) -> None:
        self._sampler = sampler
        self._loader = DataLoader(
            clips,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
            multiprocessing_context="spawn" if workers else None,
            drop_last=True,
        )

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """Read an epoch without its first `first` clips, counted over all processes."""
        self._sampler.start_at(epoch, first)
        yield from self._loader
