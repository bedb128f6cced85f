"""The packets that a camera's process keeps for clips."""

from __future__ import annotations

from pipeline.live.packet_ring import PacketRing, SendPackets, StopPackets
from pipeline.sources.encoded_video import EncodedPacket, StreamHead

HEAD = StreamHead("h264", b"head", 0)


def packet(number: int, *, part: int = 0, size: int = 10) -> EncodedPacket:
    """Five packets a second, a key frame every second."""
    return EncodedPacket(b"x" * size, number / 5, number % 5 == 0, number, part)


def filled(keep_s: float = 2.0, max_bytes: int = 10_000, *, packets: int = 23) -> PacketRing:
    sent: list[object] = []
    ring = PacketRing(keep_s, max_bytes, sent.append)
    ring.begin(HEAD)
    for number in range(packets):
        ring.add(packet(number))
    assert not sent
    ring._send = sent.append
    ring.sent = sent  # type: ignore[attr-defined]
    return ring


def numbers(ring: PacketRing) -> list[int]:
    sent: list[object] = ring.sent  # type: ignore[attr-defined]
    return [one.number for one in sent if isinstance(one, EncodedPacket)]


def test_it_holds_the_newest_seconds_from_a_key_frame_on() -> None:
    ring = filled(keep_s=2.0, packets=23)  # 4.4 s; the newest key frame is at 4 s
    assert len(ring) == 23 - 10


def test_it_is_bounded_in_bytes_and_then_begins_at_a_later_key_frame() -> None:
    ring = filled(keep_s=100.0, max_bytes=120, packets=23)
    assert len(ring) == 8  # 15 to 22; with the group before them it would be 130 bytes
    ring.handle(SendPackets(0.0, 0))
    assert numbers(ring) == list(range(15, 23))


def test_a_group_that_is_too_large_alone_is_dropped_up_to_the_next_key_frame() -> None:
    ring = PacketRing(10.0, 35, lambda message: None)
    ring.begin(HEAD)
    for number in range(5):
        ring.add(packet(number))
    assert len(ring) == 0
    ring.add(packet(5))
    assert len(ring) == 1


def test_packets_before_the_first_key_frame_are_not_held() -> None:
    ring = PacketRing(10.0, 1000, lambda message: None)
    ring.begin(HEAD)
    for number in range(3, 7):
        ring.add(packet(number))
    assert len(ring) == 2


def test_it_sends_from_the_key_frame_before_a_time_and_then_all_until_it_is_stopped() -> None:
    ring = filled(keep_s=4.0)
    ring.handle(SendPackets(2.5, 0))  # packet 12; its key frame is 10
    ring.add(packet(23))
    assert ring.sent[0] is HEAD  # type: ignore[attr-defined]
    assert numbers(ring) == [*range(10, 24)]
    ring.handle(StopPackets())
    ring.add(packet(24))
    assert numbers(ring) == [*range(10, 24)]


def test_a_second_clip_gets_what_the_first_did_not_need() -> None:
    ring = filled(keep_s=4.0)
    ring.handle(SendPackets(3.1, 0))
    ring.handle(SendPackets(2.1, 0))
    ring.handle(SendPackets(4.0, 0))
    assert sorted(numbers(ring)) == [*range(10, 23)]


def test_what_is_asked_before_the_first_key_frame_is_sent_when_it_comes() -> None:
    sent: list[object] = []
    ring = PacketRing(2.0, 1000, sent.append)
    ring.handle(SendPackets(0.0, 0))
    ring.begin(HEAD)
    ring.add(packet(0))
    assert sent == [HEAD, packet(0)]


def test_another_clock_begins_another_part() -> None:
    ring = filled()
    ring.handle(SendPackets(4.0, 0))
    other = StreamHead("h264", b"head", 1)
    ring.begin(other)
    ring.add(packet(25, part=1))
    assert ring.sent[-2:] == [other, packet(25, part=1)]  # type: ignore[attr-defined]
    assert len(ring) == 1
    ring.handle(StopPackets())
    ring.handle(SendPackets(99.0, 0))  # a time on the clock that is gone
    assert ring.sent[-1] == packet(25, part=1)  # type: ignore[attr-defined]
