"""Encoded video of a live camera that waits for its clips to end."""

from __future__ import annotations

import pytest

from pipeline.live.packet_feed import PacketFeed
from pipeline.live.packet_ring import SendPackets, StopPackets
from pipeline.sources.encoded_video import EncodedPacket, StreamHead

SHIFT_S = 100.0  # from the stream's clock to media time
HEAD = StreamHead("h264", b"head", 0)


def packet(number: int, part: int = 0) -> EncodedPacket:
    return EncodedPacket(b"x" * 10, number / 5, number % 5 == 0, number, part)


def feed(max_bytes: int = 10_000) -> PacketFeed:
    return PacketFeed(keep_s=5.0, keep_bytes=1000, max_bytes=max_bytes)


def fill(to: PacketFeed, numbers: range, part: int = 0) -> None:
    to.received(StreamHead("h264", b"head", part), None)
    for number in numbers:
        to.received(packet(number, part), SHIFT_S)


def taken(of: PacketFeed, start_s: float, end_s: float) -> list[int]:
    stretch = of.take(start_s, end_s)
    return [] if stretch is None else [one.number for one in stretch.packets]


def test_packets_are_asked_for_once_and_stopped_after_the_last_clip() -> None:
    one = feed()
    assert one.requests(0, SHIFT_S) == []
    first, second = one.open(102.0), one.open(103.0)
    assert one.requests(0, SHIFT_S) == [SendPackets(2.0, 0)]
    assert one.requests(0, SHIFT_S) == []
    one.close(first)
    assert one.requests(0, SHIFT_S) == []
    one.close(second)
    assert one.requests(0, SHIFT_S) == [StopPackets()]
    assert one.requests(0, SHIFT_S) == []


def test_an_earlier_begin_and_a_new_connection_are_asked_for_again() -> None:
    one = feed()
    one.open(102.0)
    one.requests(0, SHIFT_S)
    one.open(101.0)
    assert one.requests(0, SHIFT_S) == [SendPackets(1.0, 0)]
    one.new_connection()
    assert one.requests(3, 50.0) == [SendPackets(51.0, 3)]


def test_a_clip_begins_at_the_key_frame_before_it_in_media_time() -> None:
    one = feed()
    one.open(101.3)
    fill(one, range(20))
    assert taken(one, 101.3, 102.0) == list(range(5, 11))
    stretch = one.take(101.3, 102.0)
    assert stretch is not None
    assert stretch.packets[0].pts_s == 101.0
    assert stretch.size_bytes == 60


def test_packets_that_come_later_for_an_earlier_begin_are_put_in_order() -> None:
    one = feed()
    one.open(101.0)
    fill(one, range(10, 15))
    for number in range(5, 10):
        one.received(packet(number), SHIFT_S)
    assert taken(one, 101.0, 110.0) == list(range(5, 15))


def test_a_camera_that_was_lost_gives_the_longer_part() -> None:
    one = feed()
    one.open(100.0)
    fill(one, range(15))
    fill(one, range(5), part=1)
    assert taken(one, 100.0, 110.0) == list(range(15))


def test_nothing_is_kept_without_an_open_clip_or_beyond_the_limit() -> None:
    one = feed(max_bytes=55)
    fill(one, range(5))
    assert one.take(100.0, 110.0) is None
    one.open(100.0)
    fill(one, range(20))
    assert taken(one, 100.0, 110.0) == list(range(5))


def test_the_end_of_a_clip_releases_what_the_others_do_not_need() -> None:
    one = feed(max_bytes=150)
    first = one.open(100.0)
    one.open(102.2)
    fill(one, range(15))
    one.close(first)
    for number in range(15, 20):
        one.received(packet(number), SHIFT_S)
    assert taken(one, 100.0, 110.0) == list(range(10, 20))


def test_packets_whose_time_is_not_known_are_dropped() -> None:
    one = feed()
    one.open(100.0)
    one.received(HEAD, None)
    one.received(packet(0), None)
    assert one.take(0.0, 1000.0) is None


def test_a_clip_right_after_the_last_one_is_asked_for_anew() -> None:
    one = feed()
    first = one.open(102.0)
    one.requests(0, SHIFT_S)
    fill(one, range(10, 15))
    one.close(first)  # what was sent for it is gone
    one.open(102.2)
    assert one.requests(0, SHIFT_S) == [StopPackets(), SendPackets(pytest.approx(2.2), 0)]
    one.received(packet(15), SHIFT_S)  # was under way
    fill(one, range(10, 20))
    assert taken(one, 102.2, 110.0) == list(range(10, 20))


def test_after_dropped_packets_a_clip_continues_at_a_key_frame() -> None:
    one = feed(max_bytes=120)
    first, second = one.open(100.0), one.open(101.0)
    fill(one, range(13))  # the last one is dropped
    one.close(first)
    for number in range(13, 17):
        one.received(packet(number), SHIFT_S)
    assert taken(one, 101.0, 110.0) == [*range(5, 12), 15, 16]
    one.close(second)


def test_a_camera_that_is_lost_often_fills_no_memory_while_clips_overlap() -> None:
    one = feed(max_bytes=200)
    newest = one.open(100.0)
    for part in range(50):
        before, newest = newest, one.open(100.0 + part)
        one.received(StreamHead("h264", b"head", part), None)
        for number in range(5):
            one.received(packet(number, part), SHIFT_S + part)
        one.close(before)
    stretch = one.take(149.0, 160.0)
    assert stretch is not None
    assert [item.pts_s for item in stretch.packets] == pytest.approx(
        [149.0, 149.2, 149.4, 149.6, 149.8]
    )


def test_what_a_lost_camera_sent_before_a_clip_is_not_shown_in_it() -> None:
    one = feed()
    one.open(100.0)
    one.open(110.0)
    fill(one, range(5))
    one.received(StreamHead("h264", b"head", 1), None)
    for number in range(3):
        one.received(packet(number, 1), SHIFT_S + 10.0)
    stretch = one.take(110.0, 120.0)
    assert stretch is not None
    assert [item.part for item in stretch.packets] == [1, 1, 1]
    assert one.take(112.0, 120.0) is None
