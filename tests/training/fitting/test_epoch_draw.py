"""What an epoch draws."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from training.crops.crop_cache import CachedTrack
from training.fitting.epoch_draw import Balance, EpochDraw, class_weights, clips_per_epoch
from training.labels.samples import Sample

NOTHING = np.zeros(0)


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
