"""The batches of an epoch, from any position on, for one of several processes."""

from __future__ import annotations

from collections.abc import Iterator

from torch.utils.data import DataLoader, Sampler

from training.fitting.clip_dataset import Batch, ClipDataset, Place
from training.fitting.epoch_draw import EpochDraw


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
        """What the next iteration gives: this epoch, without its `first` clips."""
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
        batch_size: clips of a batch; what does not fill one is left out.
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
        """An epoch without its `first` clips, which are counted over all processes."""
        self._sampler.start_at(epoch, first)
        yield from self._loader
