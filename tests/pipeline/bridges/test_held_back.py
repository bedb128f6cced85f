"""The summary of what was held back."""

from __future__ import annotations

from pipeline.bridges.held_back import HeldBack


def test_a_summary_names_the_most_frequent_and_counts_all() -> None:
    held = HeldBack()
    assert not held
    for count, what in enumerate("abcdefg", start=1):
        for _ in range(count):
            held.add(what, "quiet hours")
    held.add("g", "too many")
    assert held.summary() == (
        "held back (quiet hours, too many): 29: g 8, f 6, e 5, d 4, c 3, others 3"
    )
    held.clear()
    assert not held
