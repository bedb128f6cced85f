"""Packets in the order of presentation."""

from __future__ import annotations

from pipeline.sources.packet_order import in_order_of_time


def test_frames_that_others_depend_on_come_later() -> None:
    decoded = [(0.0, "I"), (0.3, "P"), (0.1, "B"), (0.2, "b"), (0.4, "P")]
    assert [item for _, item in in_order_of_time(decoded)] == ["I", "B", "b", "P", "P"]


def test_a_clock_that_starts_again_is_a_second_part() -> None:
    decoded = [(100.0, "a"), (100.1, "b"), (0.0, "c"), (0.2, "e"), (0.1, "d")]
    assert [item for _, item in in_order_of_time(decoded)] == ["a", "b", "c", "d", "e"]


def test_a_long_stream_is_not_held() -> None:
    taken = in_order_of_time((float(number), number) for number in range(100))
    assert next(taken) == (0.0, 0)
