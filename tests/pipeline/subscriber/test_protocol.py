"""What numbers prove, which texts are entry ids, and what an entry that is no event becomes."""

from __future__ import annotations

import pytest

from pipeline.events import SequenceGap, encode_event
from pipeline.subscriber.protocol import check_sequence, entry_order, is_entry_id, read_entry
from pipeline.subscriber.reports import BadEntry, Duplicate
from tests.pipeline.decided_items import make_event


@pytest.mark.parametrize(
    ("before", "found"),
    [
        (-1, None),  # unknown: nothing is proven
        (6, None),
        (7, Duplicate("run/gate", 7, "1-0")),
        (9, Duplicate("run/gate", 7, "1-0")),
        (5, SequenceGap("run/gate", 6, 6)),
        (0, SequenceGap("run/gate", 1, 6)),
    ],
)
def test_numbers_prove_gaps_and_duplicates(before: int, found: object) -> None:
    assert check_sequence(make_event(7), before, "1-0") == found


def test_an_entry_is_an_event_or_an_error_with_the_reason() -> None:
    event = make_event(1)
    assert read_entry("1-0", encode_event(event).encode()) == event
    assert read_entry("1-0", None) == BadEntry("1-0", "it has no field 'event'")
    unreadable = read_entry("2-0", b"no json")
    assert isinstance(unreadable, BadEntry)
    assert "must be JSON" in unreadable.problem


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("0", True),
        ("17-3", True),
        (f"{2**64 - 1}-{2**64 - 1}", True),
        (f"{2**64}-0", False),
        ("9" * 5000, False),
        ("\u0661-0", False),  # a digit that Redis does not know
        ("$", False),
        ("1-2-3", False),
        ("", False),
        ("a-1", False),
    ],
)
def test_an_entry_id_is_milliseconds_with_or_without_a_sequence(text: str, is_one: bool) -> None:
    assert is_entry_id(text) == is_one


def test_entries_are_ordered_by_number_and_not_by_text() -> None:
    ids = ["10-0", "9-10", "9-9", "9"]
    assert sorted(ids, key=entry_order) == ["9", "9-9", "9-10", "10-0"]
