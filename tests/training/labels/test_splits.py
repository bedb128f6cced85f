"""What is held out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from training.labels.samples import DataError, Sample
from training.labels.splits import draw_folds, unit_of, with_validation


def samples(count: int = 60, groups: int = 12) -> list[Sample]:
    return [
        Sample(Path(f"{n}.mp4"), ("walk" if n % 3 else "hug",), group=str(n % groups))
        for n in range(count)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_about_a_fifth_of_every_class_is_held_out_in_whole_groups(seed: int) -> None:
    placed = with_validation(samples(), 0.2, seed)
    held_out = [one for one in placed if one.split == "val"]
    by_label = Counter(one.labels[0] for one in held_out)
    assert 4 <= by_label["walk"] <= 12  # of 40
    assert 2 <= by_label["hug"] <= 8  # of 20
    groups = {one.group for one in held_out}
    assert all((one.group in groups) == (one.split == "val") for one in placed)


def test_the_draw_depends_on_the_seed_and_not_on_the_order() -> None:
    drawn = {one.path for one in with_validation(samples(), 0.2, 1) if one.split == "val"}
    turned = with_validation(samples()[::-1], 0.2, 1)
    assert {one.path for one in turned if one.split == "val"} == drawn
    assert any(
        {one.path for one in with_validation(samples(), 0.2, seed) if one.split == "val"} != drawn
        for seed in range(2, 6)
    )


def test_without_groups_a_file_is_never_split() -> None:
    stretches = [
        Sample(Path(f"{n % 10}.mp4"), ("walk",), start_s=float(n), end_s=n + 1.0) for n in range(40)
    ]
    placed = with_validation(stretches, 0.2, 0)
    files = {one.path for one in placed if one.split == "val"}
    assert 1 <= len(files) <= 3
    assert all((one.path in files) == (one.split == "val") for one in placed)
    assert unit_of(stretches[0]).endswith("0.mp4")


def test_a_given_validation_is_kept_and_the_rest_is_for_training() -> None:
    given = [Sample(Path("a.mp4"), ("walk",), split="val"), Sample(Path("b.mp4"), ("walk",))]
    assert [one.split for one in with_validation(given, 0.2, 0)] == ["val", "train"]


def test_tests_are_never_drawn_for_validation() -> None:
    given = [*samples(20), Sample(Path("t.mp4"), ("walk",), split="test")]
    assert with_validation(given, 0.5, 0)[-1].split == "test"


def test_a_fraction_of_zero_holds_nothing_out() -> None:
    assert {one.split for one in with_validation(samples(), 0.0, 0)} == {"train"}


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(DataError, match=r"data\.val_share=0"):
        with_validation(samples(10, groups=1), 0.2, 0)


def test_groups_larger_than_the_fraction_still_give_a_validation() -> None:
    placed = with_validation(samples(10, groups=2), 0.05, 0)
    assert {one.split for one in placed} == {"train", "val"}


def test_folds_keep_groups_whole_and_classes_even() -> None:
    samples = [
        Sample(Path(f"{group}-{n}.mp4"), (("walk", "fight")[n % 2],), group=str(group))
        for group in range(13)
        for n in range(1 + group % 4)
    ]
    folds = draw_folds(samples, 4, seed=0)
    assert folds == draw_folds(samples, 4, seed=0)
    assert folds != draw_folds(samples, 4, seed=1)
    assert set(folds) == {0, 1, 2, 3}
    by_group = {(sample.group, fold) for sample, fold in zip(samples, folds, strict=True)}
    assert len(by_group) == 13
    for label in ("walk", "fight"):
        mine = [fold for one, fold in zip(samples, folds, strict=True) if one.labels == (label,)]
        counts = [mine.count(fold) for fold in range(4)]
        assert max(counts) - min(counts) <= 2


def test_more_folds_than_groups_are_an_error() -> None:
    samples = [Sample(Path(f"{n}.mp4"), ("walk",), group=str(n // 2)) for n in range(6)]
    with pytest.raises(DataError, match="--folds 4: the data has only 3 groups"):
        draw_folds(samples, 4, seed=0)
