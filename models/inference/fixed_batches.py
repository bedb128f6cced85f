"""Run batches of one fixed size, so that a result does not depend on how many items waited."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_fixed_batches(
    items: Sequence[Item], size: int, run: Callable[[Sequence[Item]], Sequence[Result]]
) -> list[Result]:
    """Run items in groups of exactly `size`.

    Floating-point kernels are chosen by the size of the batch, and different kernels round
    differently; how many items wait depends on timing. The last group is therefore padded by
    repeating its last item, and the results of the padding are dropped.

    Args:
        items: any number, also none.
        size: of every group that `run` gets.
        run: returns one result per item, each depending on its item alone.

    Returns:
        One result per item, in order.

    Raises:
        ValueError: if `size` is below 1, or `run` returns another number of results.
    """
    if size < 1:
        raise ValueError(f"a batch has at least one item, got size {size}")
    results: list[Result] = []
    for start in range(0, len(items), size):
        group = list(items[start : start + size])
        count = len(group)
        group += group[-1:] * (size - count)
        group_results = run(group)
        if len(group_results) != size:
            raise ValueError(f"{size} items gave {len(group_results)} results")
        results.extend(group_results[:count])
    return results
