"""Draw what is held out, where the data names no split: whole groups, so that nothing leaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from training.labels.samples import DataError, Sample


def unit_of(sample: Sample) -> str:
    """Return what is never split: the group, or the video where there is none."""
    if sample.group is not None:
        return f"group {sample.group}"
    return f"file {sample.path.resolve()}"


def with_validation(samples: Sequence[Sample], fraction: float, seed: int) -> tuple[Sample, ...]:
    """Give every sample a split; validation is drawn from training where there is none.

    Args:
        samples: some may have a split; the others are for training.
        fraction: of the training samples that validation gets, about, of every class; 0: none.
        seed: of the draw.

    Raises:
        DataError: if there is one group only.
    """
    placed = [one if one.split else replace(one, split="train") for one in samples]
    if fraction == 0 or any(one.split == "val" for one in placed):
        return tuple(placed)
    training = [one for one in placed if one.split == "train"]
    held_out = draw_units(training, fraction, seed)
    return tuple(
        replace(one, split="val") if one.split == "train" and unit_of(one) in held_out else one
        for one in placed
    )


def draw_units(samples: Sequence[Sample], fraction: float, seed: int) -> set[str]:
    """Draw whole groups until about a fraction of every class is in them.

    Groups come in random order; one is taken if that brings the classes closer to their fraction.

    Raises:
        DataError: if there is one group only, or none fits.
    """
    ordered = sorted(samples, key=unit_of)
    units = {
        name: Counter(label for one in ours for label in one.labels)
        for name, ours in groupby(ordered, unit_of)
    }
    if len(units) < 2:
        raise DataError(
            "all samples are of one group, so nothing can be held out: give a column split or "
            "group, or train without validation with data.val_share=0"
        )
    missing = Counter[str]()
    for counts in units.values():
        missing.update(counts)
    wanted = {label: fraction * count for label, count in missing.items()}
    chosen: set[str] = set()
    for name in np.random.default_rng(seed).permutation(sorted(units)):
        counts = units[str(name)]
        gain = sum(_closer(wanted[label], count) for label, count in counts.items())
        if gain > 0 and len(chosen) + 1 < len(units):
            chosen.add(str(name))
            for label, count in counts.items():
                wanted[label] -= count
    if not chosen:  # every group is larger than its fraction: the smallest
        chosen.add(min(sorted(units), key=lambda name: units[name].total()))
    return chosen


def draw_folds(samples: Sequence[Sample], folds: int, seed: int) -> list[int]:
    """Distribute whole groups over the folds of a cross-validation, every class evenly.

    Groups come from the largest to the smallest, those of one size in random order; each goes where
    its classes are rarest, and then where there are the fewest samples.

    Args:
        samples: at least one; their splits do not count.
        folds: 2 or more.
        seed: of the order.

    Returns:
        Per sample the number of its fold, from 0 on.

    Raises:
        DataError: if there are fewer groups than folds.
    """
    ordered = sorted(samples, key=unit_of)
    units = {
        name: Counter(label for one in ours for label in one.labels)
        for name, ours in groupby(ordered, unit_of)
    }
    if len(units) < folds:
        raise DataError(
            f"--folds {folds}: the data has only {len(units)} groups, and no group is in two folds"
        )
    total = Counter[str]()
    for counts in units.values():
        total.update(counts)
    drawn = np.random.default_rng(seed).permutation(sorted(units))
    placed: dict[str, int] = {}
    filled = [Counter[str]() for _ in range(folds)]

    def crowding(fold: int, counts: Counter[str]) -> tuple[float, int]:
        share = sum(filled[fold][label] / total[label] * n for label, n in counts.items())
        return share, filled[fold].total()

    for name in sorted(map(str, drawn), key=lambda name: -units[name].total()):  # stable
        counts = units[name]
        fold = min(range(folds), key=lambda fold: crowding(fold, counts))
        placed[name] = fold
        filled[fold].update(counts)
    return [placed[unit_of(one)] for one in samples]


def _closer(missing: float, count: int) -> float:
    """Return how much closer a class comes to its target by so many samples."""
    return abs(missing) - abs(missing - count)
