"""Packets of a file between two times, with the times that its frames have."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from pipeline.sources.file_decoder import DECODE_DEFAULTS, DecodeError, VideoReader
from pipeline.sources.recorded_packets import RecordedPackets
from testbed.videos_h264 import clock_frames, encode_h264

FPS = 10


def video(folder: Path, name: str = "a.mp4", **options: int) -> Path:
    images = clock_frames(60, FPS, (384, 96))
    return encode_h264(folder / name, images, FPS, gop=10, **options)


@pytest.mark.parametrize(("name", "bframes"), [("a.mp4", 0), ("a.mp4", 2), ("a.ts", 2)])
def test_a_packet_has_the_time_of_its_frame(tmp_path: Path, name: str, bframes: int) -> None:
    path = video(tmp_path, name, bframes=bframes)
    of_frames = [one.pts_s for one in VideoReader(path).frames()]
    of_packets = [pts_s for pts_s, _ in VideoReader(path).packets()]
    assert sorted(of_packets) == of_frames
    assert (of_packets != of_frames) == bool(bframes)


def test_a_raw_stream_is_timed_by_its_rate(tmp_path: Path) -> None:
    path = video(tmp_path, "a.h264")
    of_frames = [one.pts_s for one in VideoReader(path).frames()]
    assert [pts_s for pts_s, _ in VideoReader(path).packets()] == of_frames


def test_a_raw_stream_with_b_frames_is_refused(tmp_path: Path) -> None:
    path = video(tmp_path, "a.h264", bframes=2)
    with pytest.raises(DecodeError, match="B-frames"):
        list(VideoReader(path).packets())


def test_it_begins_at_the_key_frame_before(tmp_path: Path) -> None:
    packets = RecordedPackets(video(tmp_path), None, DECODE_DEFAULTS, 1 << 20)
    stretch = packets.between(2.35, 3.5)
    assert stretch is not None
    times = [packet.pts_s for packet in stretch.packets]
    assert (times[0], times[-1]) == (2.0, 3.5)
    assert stretch.packets[0].is_key
    assert stretch.head.codec == "h264"
    with av.open(__import__("io").BytesIO(stretch.head.data), format="nut") as head:
        assert head.streams.video[0].width == 384
    packets.close()


def test_times_beyond_the_file_give_what_there_is(tmp_path: Path) -> None:
    packets = RecordedPackets(video(tmp_path), None, DECODE_DEFAULTS, 1 << 20)
    stretch = packets.between(-3.0, 100.0)
    assert stretch is not None
    assert len(stretch.packets) == 60
    assert packets.between(200.0, 300.0) is not None  # the last group: nothing is behind it
    packets.close()


def test_what_was_dropped_is_read_again(tmp_path: Path) -> None:
    packets = RecordedPackets(video(tmp_path), None, DECODE_DEFAULTS, 1)
    late, early = packets.between(4.0, 5.0), packets.between(1.0, 2.0)
    assert late is not None
    assert early is not None
    assert [one.pts_s for one in late.packets][:2] == [4.0, 4.1]
    assert [one.pts_s for one in early.packets][:2] == [1.0, 1.1]
    packets.close()
