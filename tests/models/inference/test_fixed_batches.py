"""Groups of one size, whatever the number of items."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from models.inference.fixed_batches import in_fixed_batches


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8])
def test_every_group_has_the_same_size_and_every_item_one_result(count: int) -> None:
    sizes: list[int] = []

    def square(group: Sequence[int]) -> list[int]:
        sizes.append(len(group))
        return [item * item for item in group]

    results = in_fixed_batches(range(count), 4, square)
    assert results == [item * item for item in range(count)]
    assert sizes == [4] * -(-count // 4)


def test_the_last_group_is_filled_with_its_last_item() -> None:
    groups: list[list[str]] = []

    def keep(group: Sequence[str]) -> Sequence[str]:
        groups.append(list(group))
        return group

    in_fixed_batches("abcde", 3, keep)
    assert groups == [["a", "b", "c"], ["d", "e", "e"]]


def test_a_lost_result_is_noticed() -> None:
    with pytest.raises(ValueError, match="2 items gave 1 results"):
        in_fixed_batches([1, 2], 2, lambda group: group[:1])


def test_a_size_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one item"):
        in_fixed_batches([1], 0, list)
