"""A file ends early if its container's structure says so, whatever its header promises."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.sources.container_end import check_end
from tests.conftest import write_video

TIMES_S = [n / 25 for n in range(50)]
CODECS = {"webm": "libvpx", "avi": "mpeg4", "wmv": "wmv2", "ogv": "libtheora"}
STRUCTURED = ["mp4", "mov", "mkv", "webm", "avi", "flv", "wmv"]


def write_fragments(path: Path) -> Path:
    """An mp4 as browsers and cameras stream it: a fragment per key frame, an empty index."""
    options = {"movflags": "frag_keyframe+empty_moov"}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(50):
            image = np.full((48, 64, 3), 5 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write(folder: Path, suffix: str) -> Path:
    if suffix == "fragments":
        return write_fragments(folder / "fragments.mp4")
    return write_video(folder / f"a.{suffix}", TIMES_S, codec=CODECS.get(suffix, "libx264"))


@pytest.mark.parametrize("suffix", [*STRUCTURED, "fragments", "ts", "mpg"])
def test_a_complete_file_does_not_end_early(tmp_path: Path, suffix: str) -> None:
    assert not check_end(write(tmp_path, suffix)).is_early


@pytest.mark.parametrize("suffix", [*STRUCTURED, "fragments"])
def test_a_file_that_is_cut_at_any_byte_ends_early(tmp_path: Path, suffix: str) -> None:
    whole = write(tmp_path, suffix).read_bytes()
    draw = random.Random(suffix)
    cut = tmp_path / "cut"
    for _ in range(8):
        size = draw.randrange(len(whole) // 4, len(whole) * 3 // 4)
        cut.write_bytes(whole[:size])
        assert check_end(cut).is_early, size


def test_what_a_recorder_wrote_in_advance_is_not_missing(tmp_path: Path) -> None:
    path = write(tmp_path, "mp4")
    path.write_bytes(path.read_bytes() + bytes(5000))
    assert not check_end(path).is_early


def test_a_recording_in_progress_has_no_sizes_to_miss(tmp_path: Path) -> None:
    """Browsers write WebM as a stream: segment and clusters of unknown size."""
    path = tmp_path / "live.webm"
    path.write_bytes(
        bytes.fromhex("1a45dfa3 80")  # EBML, empty
        + bytes.fromhex("18538067 01ffffffffffffff")  # segment, unknown size
        + bytes.fromhex("1f43b675 01ffffffffffffff")  # cluster, unknown size
        + bytes.fromhex("e7 81 00")  # its time
        + bytes.fromhex("a3 84 81000080")  # a block of 4 bytes
    )
    assert not check_end(path).is_early
    path.write_bytes(path.read_bytes()[:-1])
    assert check_end(path).is_early


@pytest.mark.parametrize("content", [b"", b"RIFF", b"FLV", b"\x1a\x45\xdf\xa3", b"\0\0\0\x10ftyp"])
def test_a_header_alone_is_no_proof_of_anything_or_ends_early(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "short"
    path.write_bytes(content)
    check_end(path)  # terminates without an error


def test_random_bytes_end_the_walk(tmp_path: Path) -> None:
    draw = random.Random(1)
    path = tmp_path / "noise"
    heads = [
        b"\0\0\0\x08ftyp",
        b"RIFF\0\0\0\0AVI ",
        b"FLV\1\1\0\0\0\x09",
        b"OggS",
        b"\x1aE\xdf\xa3",
    ]
    for head in heads * 20:
        path.write_bytes(head + draw.randbytes(draw.randrange(2000)))
        check_end(path)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "fragments", "flv", "wmv"])
def test_a_second_file_behind_the_first_is_found(tmp_path: Path, suffix: str) -> None:
    """`cat a.mp4 b.mp4`: FFmpeg reads the first."""
    path = write(tmp_path, suffix)
    assert not check_end(path).has_another
    path.write_bytes(2 * path.read_bytes())
    assert check_end(path).has_another
