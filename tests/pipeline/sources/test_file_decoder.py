"""The decoder of one file, in this process; `test_video_files.py` has it in its own."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.sources.file_decoder import DecodedImage, DecodeError, DecodeOptions, VideoReader
from tests.conftest import write_video


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-25T10:00:00.500000Z", 1795600800.5),
        ("2026-11-25T10:00:00", 1795600800.0),
        ("1970-01-01T00:00:00.000000Z", None),  # clocks that were never set
        ("1904-01-01T00:00:00.000000Z", None),
        ("yesterday", None),
    ],
)
def test_the_creation_time_of_a_container(
    tmp_path: Path, text: str, expected: float | None
) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["creation_time"] = text
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode())
    reader = VideoReader(path)
    assert reader.info.created_at == expected
    reader.close()


# A key frame every second and nowhere else; packets in the order of presentation.
KEY_FRAMES = {"g": "25", "bf": "0", "sc_threshold": "0"}


def decode(path: Path) -> list[DecodedImage]:
    reader = VideoReader(path)
    try:
        return list(reader.frames())
    finally:
        reader.close()


def test_frames_have_increasing_times_and_their_own_pixels(tmp_path: Path) -> None:
    times_s = [0.0, 0.04, 0.5, 0.54, 2.0]
    path = write_video(tmp_path / "a.mkv", times_s, shade=lambda n: 30 + 40 * n)
    decoded = decode(path)
    assert [one.pts_s for one in decoded] == pytest.approx(times_s, abs=2e-3)
    assert [int(one.image.mean()) for one in decoded] == pytest.approx(
        [30, 70, 110, 150, 190], abs=6
    )
    assert {(one.image.shape, one.image.dtype) for one in decoded} == {
        ((48, 64, 3), np.dtype(np.uint8))
    }


def test_the_container_declares_size_count_and_rate(tmp_path: Path) -> None:
    reader = VideoReader(write_video(tmp_path / "a.mp4", [n / 25 for n in range(50)]))
    info = reader.info
    reader.close()
    assert (info.codec, info.width, info.height, info.frames) == ("h264", 64, 48, 50)
    assert info.duration_s == pytest.approx(2.0, abs=0.05)
    assert info.fps == pytest.approx(25, abs=1)


def test_a_file_that_is_no_video_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(DecodeError, match="not a readable video"):
        VideoReader(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        tone = [int(9000 * math.sin(n / 5)) for n in range(8000)]
        file.writeframes(np.array(tone, "<i2").tobytes())
    with pytest.raises(DecodeError, match="no video stream"):
        VideoReader(path)


def test_the_frames_of_a_truncated_file_come_before_its_error(tmp_path: Path) -> None:
    whole = write_video(
        tmp_path / "whole.avi", [n / 30 for n in range(120)], codec="mjpeg", wh=(320, 240)
    )
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    decoded = []
    reader = VideoReader(cut)
    with pytest.raises(DecodeError, match=r"truncated: it ends at .* frames|damaged packets"):
        for one in reader.frames():
            decoded.append(one.pts_s)
    reader.close()
    assert 10 < len(decoded) < 120
    assert decoded == sorted(decoded)


def read(path: Path, raw_fps: float | None = None) -> tuple[list[float], str | None, list[str]]:
    """Times, error and notes of a file."""
    times_s, error = [], None
    try:
        reader = VideoReader(path, options=DecodeOptions(raw_fps))
    except DecodeError as damage:
        return [], str(damage), []
    try:
        times_s += [decoded.pts_s for decoded in reader.frames()]
    except DecodeError as damage:
        error = str(damage)
    finally:
        reader.close()
    return times_s, error, list(reader.notes)


def copy_packets(source: Path, target: Path, *, first: int = 0, wild: int = -1) -> Path:
    """Copy packets with their times, as `ffmpeg -f segment -c copy`; stamp one wildly."""
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        stream = output.add_stream_from_template(container.streams.video[0])
        for number, packet in enumerate(container.demux(video=0)):
            if packet.dts is not None and number >= first:
                if number == wild:
                    packet.pts += round(36_000 / packet.time_base)
                packet.stream = stream
                output.mux(packet)
    return target


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "ts", "avi", "flv"])
def test_a_segment_that_counts_on_from_the_recordings_start_is_complete(
    tmp_path: Path, suffix: str
) -> None:
    whole = write_video(
        tmp_path / f"whole.{suffix}", [n / 25 for n in range(100)], options=KEY_FRAMES
    )
    times_s, error, _ = read(copy_packets(whole, tmp_path / f"seg.{suffix}", first=50))
    assert error is None
    assert len(times_s) == 50
    assert np.diff(times_s)[:48] == pytest.approx(np.full(48, 0.04), abs=2e-3)
    assert times_s[0] == pytest.approx(2.04 if suffix == "avi" else 0.0)  # it has empty frames


def test_frames_that_an_edit_list_hides_are_not_missing(tmp_path: Path) -> None:
    """A lossless cut: the file begins with a key frame, and shows what comes a second later."""
    path = write_video(tmp_path / "a.mp4", [n / 25 for n in range(100)], options=KEY_FRAMES)
    data = path.read_bytes()
    at = data.index(b"elst")  # version and flags, entries, duration, media time: 32 bits each
    shown_from = struct.unpack_from(">i", data, at + 16)[0]
    scale = struct.unpack_from(">I", data, data.index(b"mdhd") + 16)[0]
    path.write_bytes(data[: at + 16] + struct.pack(">i", shown_from + 2 * scale) + data[at + 20 :])
    times_s, error, _ = read(path)
    assert error is None
    assert len(times_s) == 50


def test_null_frames_of_an_avi_are_not_missing(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", [n / 25 for n in range(50)], codec="mjpeg", noise=True)
    data = path.read_bytes()
    movie = data.index(b"movi")
    frame, size = movie + 20_000, 0
    while not size:  # FFmpeg writes such frames too
        frame = data.index(b"00dc", frame + 8)
        size = struct.unpack_from("<I", data, frame + 4)[0]
    # As a recorder marks "no change": a chunk of no bytes; the old image is in one to be ignored.
    ignored = b"00dc\0\0\0\0JUNK" + struct.pack("<I", size - 8)
    indexed = struct.pack("<II", frame - movie, size), struct.pack("<II", frame - movie, 0)
    data = data[:frame] + ignored + data[frame + 16 :]
    assert data.count(indexed[0]) == 1
    path.write_bytes(data.replace(*indexed))
    times_s, error, _ = read(path)
    assert error is None
    assert len(times_s) == 49


def test_joined_transport_streams_are_complete_and_keep_their_distances(tmp_path: Path) -> None:
    fast = write_video(tmp_path / "a.ts", [n / 25 for n in range(50)])
    slow = write_video(tmp_path / "b.ts", [n / 5 for n in range(20)])
    joined = tmp_path / "joined.ts"
    joined.write_bytes(fast.read_bytes() + slow.read_bytes() + fast.read_bytes())
    times_s, error, notes = read(joined)
    assert error is None
    steps_s = np.diff(times_s)
    assert len(times_s) == 120
    assert steps_s[:49] == pytest.approx(np.full(49, 0.04), abs=1e-3)
    assert steps_s[51:69] == pytest.approx(np.full(18, 0.2), abs=1e-3)
    assert steps_s[72:] == pytest.approx(np.full(47, 0.04), abs=1e-3)
    assert len(notes) == 1
    assert "restarts of its clock: 2" in notes[0]


# Not found: zeros in VP8, which its decoder takes for a frame; a hole in FLV, behind which its
# reader continues.
@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        *((suffix, "cut") for suffix in ("mp4", "mkv", "webm", "avi", "ts", "flv", "mov")),
        *((suffix, "overwritten") for suffix in ("mp4", "mkv", "avi", "ts", "flv", "mov")),
        *((suffix, "missing") for suffix in ("mp4", "mkv", "webm", "avi", "ts", "mov")),
    ],
)
def test_real_damage_is_found(tmp_path: Path, suffix: str, damage: str) -> None:
    codec = {"webm": "libvpx", "avi": "mpeg4"}.get(suffix, "libx264")
    path = write_video(
        tmp_path / f"a.{suffix}", [n / 25 for n in range(100)], codec=codec, noise=True
    )
    data = path.read_bytes()
    middle = len(data) // 2
    if damage == "cut":
        path.write_bytes(data[: middle + 77])
    elif damage == "overwritten":
        path.write_bytes(data[:middle] + bytes(9000) + data[middle + 9000 :])
    else:
        path.write_bytes(data[:middle] + data[middle + 9000 :])
    _, error, _ = read(path)
    assert error is not None


def test_a_wild_stamp_moves_nothing_else(tmp_path: Path) -> None:
    times_s = [n / 25 for n in range(50)]
    path = write_video(tmp_path / "a.mkv", times_s, options={"bf": "0"})
    read_s, error, notes = read(copy_packets(path, tmp_path / "wild.mkv", wild=20))
    assert error is None
    assert read_s == pytest.approx([n / 25 for n in range(50)], abs=2e-3)
    assert notes == ["impossible time stamps that were replaced: 1"]


def test_a_raw_stream_has_the_rate_that_it_states(tmp_path: Path) -> None:
    path = tmp_path / "a.h264"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(30):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    times_s, error, notes = read(path)
    assert (error, notes) == (None, [])
    assert times_s == pytest.approx([n / 15 for n in range(30)])


@pytest.mark.parametrize(("suffix", "codec"), [("mjpeg", "mjpeg"), ("h264", "libx264")])
def test_a_raw_stream_without_a_rate_has_the_configured_one_or_a_warning(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    """An H.264 stream that states 30000 frames a second states none."""
    path = write_video(tmp_path / f"a.{suffix}", [n / 12 for n in range(24)], codec=codec)
    times_s, _, [note] = read(path)
    assert times_s == pytest.approx([n / 25 for n in range(24)])
    assert "replay.raw_fps" in note
    times_s, _, notes = read(path, raw_fps=12.0)
    assert times_s == pytest.approx([n / 12 for n in range(24)])
    assert notes == []
