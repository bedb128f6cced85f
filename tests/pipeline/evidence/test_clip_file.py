"""Clips on disk: what a player finds in them."""

from __future__ import annotations

import errno
from hashlib import sha256
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.evidence import clip_file
from pipeline.evidence.clip_file import ClipError, Hiding, write_clip
from pipeline.evidence.hiding import PeopleAt
from pipeline.sources.encoded_video import EncodedStretch, StreamHead, select_packets
from testbed.videos_h264 import read_clock
from tests.pipeline.evidence.clips import FPS, encode, stretch_of


def part(whole: EncodedStretch, start_s: float, end_s: float) -> EncodedStretch:
    return EncodedStretch(whole.head, select_packets(list(whole.packets), start_s, end_s))


def clocks(path: Path) -> list[int | None]:
    with av.open(str(path)) as container:
        return [read_clock(frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    ("codec", "suffix", "bframes", "tag"),
    [
        ("h264", ".mp4", 0, "avc1"),
        ("h264", ".ts", 2, "avc1"),  # parameter sets in the stream, frames out of order
        ("hevc", ".ts", 2, "hvc1"),
    ],
)
def test_packets_are_copied_into_a_file_that_browsers_play(
    tmp_path: Path, codec: str, suffix: str, bframes: int, tag: str
) -> None:
    whole = stretch_of(encode(tmp_path / f"camera{suffix}", codec, bframes=bframes), 100.0)
    path = tmp_path / "clip.mp4"
    written = write_clip(path, part(whole, 101.5, 102.5), 101.5, 102.5, max_pixels=10_000_000)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert tag.encode() in content
    assert path.stat().st_mode & 0o777 == 0o600
    assert (written.codec, written.size_bytes) == (codec, len(content))
    assert written.sha256 == sha256(content).hexdigest()
    # A frame that earlier ones depend on may be shown after the asked end.
    assert written.start_s == pytest.approx(101.0)
    assert 102.45 < written.last_s < 102.75
    assert written.duration_s == pytest.approx(written.last_s - written.start_s + 0.1)
    numbers = clocks(path)
    assert numbers[:1] == [FPS]
    assert set(range(10, 26)) <= set(numbers)


def test_no_text_of_the_camera_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    whole = stretch_of(encode(tmp_path / "camera.mp4", "h264"))
    write_clip(path, whole, 0.0, 4.0, max_pixels=10_000_000)
    with av.open(str(path)) as container:
        texts = container.metadata | container.streams.video[0].metadata
    assert set(texts) <= {
        "major_brand", "minor_version", "compatible_brands", "encoder", "language",
        "handler_name", "vendor_id",
    }  # fmt: skip
    assert texts.get("handler_name", "VideoHandler") == "VideoHandler"


def test_what_browsers_do_not_play_is_encoded_between_the_asked_times(tmp_path: Path) -> None:
    whole = stretch_of(encode(tmp_path / "camera.avi", "mjpeg"), 50.0)
    path = tmp_path / "clip.mp4"
    written = write_clip(path, whole, 50.95, 52.05, max_pixels=10_000_000)
    assert written.codec == "h264"
    assert clocks(path) == list(range(10, 21))
    assert written.start_s == pytest.approx(51.0)


def test_people_are_hidden_in_the_frames_around_those_that_were_processed(
    tmp_path: Path,
) -> None:
    whole = stretch_of(encode(tmp_path / "camera.mp4", "h264"))
    box = np.array([0, 0, 384, 96], np.float32)  # over the number
    hiding = Hiding("bodies", (PeopleAt(2.0, (box,)),), reach_s=0.35)
    path = tmp_path / "clip.mp4"
    written = write_clip(path, whole, 1.0, 3.0, hiding=hiding, max_pixels=10_000_000)
    assert written.codec == "h264"
    assert clocks(path) == [*range(10, 17), *[None] * 7, *range(24, 31)]


def test_a_clip_without_a_decodable_frame_is_an_error(tmp_path: Path) -> None:
    whole = stretch_of(encode(tmp_path / "camera.avi", "mjpeg", seconds=1.0))
    with pytest.raises(ClipError, match="no frame"):
        write_clip(tmp_path / "clip.mp4", whole, 100.0, 101.0, max_pixels=10_000_000)
    broken = EncodedStretch(StreamHead("h264", b"no head", 0), whole.packets)
    with pytest.raises(ClipError):
        write_clip(tmp_path / "clip.mp4", broken, 0.0, 1.0, max_pixels=10_000_000)


def test_a_full_disk_is_an_error_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stretch_of(encode(tmp_path / "camera.mp4", "h264", seconds=1.0))
    real_open = av.open

    def full(file: str, mode: str = "r", **options: object) -> object:
        return real_open("file:/dev/full" if mode == "w" else file, mode, **options)

    monkeypatch.setattr(clip_file.av, "open", full)
    with pytest.raises((OSError, ClipError)) as caught:
        write_clip(tmp_path / "clip.mp4", whole, 0.0, 1.0, max_pixels=10_000_000)
    if isinstance(caught.value, OSError):
        assert caught.value.errno in (errno.ENOSPC, errno.EINVAL, errno.ESPIPE, errno.EIO)
