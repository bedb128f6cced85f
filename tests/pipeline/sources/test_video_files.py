from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.sources.file_decoder import VideoInfo
from pipeline.sources.video_files import (
    VideoFile,
    in_batches,
    merge_by_time,
    read_frames,
)
from pipeline.types import Frame, StreamEnd
from tests.conftest import make_frame, write_video


def read(path: Path) -> tuple[list[Frame], StreamEnd]:
    items = list(
        read_frames(
            VideoFile("cam", path),
            stop=threading.Event(),
            now=lambda: 5.0,
            opened=lambda camera_id, info: None,
        )
    )
    *frames, end = items
    assert isinstance(end, StreamEnd)
    assert all(isinstance(frame, Frame) for frame in frames)
    return frames, end  # type: ignore[return-value]


def test_every_frame_comes_in_order_with_the_containers_times(tmp_path: Path) -> None:
    times_s = [n / 25 for n in range(30)]
    frames, end = read(write_video(tmp_path / "a.mp4", times_s))
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.pts_s for frame in frames] == pytest.approx(times_s, abs=1e-4)
    assert end == StreamEnd("cam")


def test_a_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    times_s = [0.0, 0.04, 0.08, 0.5, 0.52, 1.7, 1.74, 3.0]
    frames, _ = read(write_video(tmp_path / "vfr.mkv", times_s))
    assert [frame.pts_s for frame in frames] == pytest.approx(times_s, abs=2e-3)


def test_pixels_are_the_files_pixels(tmp_path: Path) -> None:
    frames, _ = read(write_video(tmp_path / "a.mp4", [0.0, 0.1, 0.2], shade=lambda n: 50 + 60 * n))
    levels = [int(frame.image.mean()) for frame in frames]
    assert levels == pytest.approx([50, 110, 170], abs=6)  # the codec loses a little
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image.dtype == np.uint8


def test_a_frame_stays_what_it_was_while_others_are_decoded(tmp_path: Path) -> None:
    """The decoder's memory is used again and again; a frame must own its pixels."""
    frames, _ = read(write_video(tmp_path / "a.mp4", [n / 30 for n in range(40)]))
    levels = [int(frame.image.mean()) for frame in frames[:8]]
    assert levels == pytest.approx([40 + 20 * n for n in range(8)], abs=6)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mjpeg", "libvpx-vp9"])
def test_codecs(tmp_path: Path, codec: str) -> None:
    frames, end = read(write_video(tmp_path / "a.mkv", [n / 30 for n in range(10)], codec=codec))
    assert (len(frames), end.error) == (10, None)


def test_a_phones_portrait_video_stands_upright(tmp_path: Path) -> None:
    """Phones store the image lying and a matrix in the track header that turns it."""
    path = write_video(tmp_path / "phone.mp4", [0.0, 0.1, 0.2], wh=(64, 48), left_half=250)
    one, none, minus_one, last = (struct.pack(">i", v) for v in (1 << 16, 0, -1 << 16, 1 << 30))
    straight = one + none * 3 + one + none * 3 + last
    turned_clockwise = none + one + none + minus_one + none * 4 + last
    header, track = path.read_bytes().split(b"tkhd")
    path.write_bytes(header + b"tkhd" + track.replace(straight, turned_clockwise, 1))
    frames, end = read(path)
    assert end.error is None
    assert {frame.wh for frame in frames} == {(48, 64)}
    assert frames[0].image[:28].mean() > 230  # what was left is above
    assert frames[0].image[36:].mean() < 60


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    frames, end = read(tmp_path / "nowhere.mp4")
    assert frames == []
    assert end.error == f"{tmp_path}/nowhere.mp4: no such file"


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    assert read(tmp_path / "empty.mp4")[1].error == f"{tmp_path}/empty.mp4: the file is empty"


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_bytes(bytes(range(256)) * 40)
    error = read(tmp_path / "text.mp4")[1].error
    assert error is not None
    assert "text.mp4: not a readable video" in error


@pytest.mark.parametrize("suffix", ["mkv", "avi"])
def test_a_truncated_file_gives_its_frames_and_then_the_error(tmp_path: Path, suffix: str) -> None:
    times_s = [n / 30 for n in range(120)]
    whole = write_video(tmp_path / f"whole.{suffix}", times_s, codec="mjpeg", wh=(320, 240))
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    frames, end = read(cut)
    assert 10 < len(frames) < 120
    assert end.error is not None
    assert str(cut) in end.error


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_slow_video_is_not_called_truncated(tmp_path: Path, suffix: str) -> None:
    """A time lapse: its last frame lasts seconds, and the duration in the header includes it."""
    times_s = [5.0 * n for n in range(12)]
    frames, end = read(write_video(tmp_path / f"lapse.{suffix}", times_s, each_lasts_s=5.0))
    assert (len(frames), end.error) == (12, None)


def test_stop_ends_the_reading_without_an_error(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [n / 30 for n in range(60)])
    stop = threading.Event()
    items = []
    for item in read_frames(
        VideoFile("cam", path), stop=stop, now=lambda: 0.0, opened=lambda c, i: None
    ):
        items.append(item)
        if len(items) == 3:
            stop.set()
    assert items[-1] == StreamEnd("cam", "stopped")
    assert len(items) == 4


def test_opened_reports_what_the_file_declares(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [n / 30 for n in range(60)])
    opened: list[tuple[str, VideoInfo]] = []
    list(
        read_frames(
            VideoFile("cam", path),
            stop=threading.Event(),
            now=lambda: 0.0,
            opened=lambda camera_id, info: opened.append((camera_id, info)),
        )
    )
    [(camera_id, info)] = opened
    assert (camera_id, info.frames, info.width, info.height) == ("cam", 60, 64, 48)


@pytest.mark.parametrize(
    "name",
    [
        b"2026-11-25T10:00:00.mp4",
        b"concat:a|b.mp4",
        b"-i.mp4",
        b"%d %03d.mp4",
        b"a*?[1].mp4",
        b"a\nb\x1b[2J.mp4",
        b"quote'\".mp4",
        b"caf\xe9.mp4",
        b"x" * 251 + b".mp4",
        b"no ending",
    ],
)
def test_a_path_is_a_path_whatever_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    path = tmp_path / os.fsdecode(name)
    write_video(tmp_path / "a.mp4", [0.0, 0.1, 0.2]).rename(path)
    monkeypatch.chdir(tmp_path)
    frames, end = read(Path(path.name))
    assert (len(frames), end.error) == (3, None)


def test_what_cannot_be_opened_costs_its_own_file_and_is_named_escaped(tmp_path: Path) -> None:
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    names = ["loop.mp4", "folder.mp4", "pipe.mp4", "x" * 300, "\x1b[2J\udce9.mp4", "zero\0byte"]
    errors = [str(read(tmp_path / name)[1].error) for name in names]
    assert [error.removeprefix(f"{tmp_path}/") for error in errors] == [
        "loop.mp4: cannot be opened (Too many levels of symbolic links)",
        "folder.mp4: not a file",
        "pipe.mp4: not a file",
        f"{'x' * 300}: cannot be opened (File name too long)",
        r"\x1b[2J\udce9.mp4: no such file",
        r"zero\x00byte: not a path (embedded null byte)",
    ]


def camera(camera_id: str, *pts_s: float) -> Iterator[Frame | StreamEnd]:
    for index, at_s in enumerate(pts_s):
        yield make_frame(index, at_s, camera_id=camera_id)
    yield StreamEnd(camera_id)


def order(items: Iterator[Frame | StreamEnd]) -> list[str]:
    return [
        f"{item.camera_id}{item.index}" if isinstance(item, Frame) else f"{item.camera_id}|"
        for item in items
    ]


def test_files_are_merged_by_media_time() -> None:
    # a:  0    2    4  |
    # b:  0 1 .. 3     |
    merged = merge_by_time(
        iter([camera("a", 0, 2, 4), camera("b", 0, 1, 3)]), max_concurrent_files=8
    )
    assert order(merged) == ["a0", "b0", "b1", "a1", "b2", "b|", "a2", "a|"]


def test_only_some_files_are_open_at_the_same_time() -> None:
    opened = []

    def opening() -> Iterator[Iterator[Frame | StreamEnd]]:
        for name in "abc":
            opened.append(name)
            yield camera(name, 0, 1)

    merged = merge_by_time(opening(), max_concurrent_files=2)
    first = next(merged)
    assert isinstance(first, Frame)
    assert opened == ["a", "b"]
    assert order(merged) == ["b0", "a1", "a|", "c0", "b1", "b|", "c1", "c|"]


def test_batches_are_full_but_for_the_last() -> None:
    batches = list(in_batches(camera("a", 0, 1, 2, 3), 2))
    assert [len(batch) for batch in batches] == [2, 2, 1]


def test_what_is_odd_about_a_file_is_logged_in_one_line_with_its_path(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_video(tmp_path / "a.mjpeg", [n / 12 for n in range(24)], codec="mjpeg")
    _, end = read(path)
    assert end.error is None
    [message] = caplog.messages
    assert message.startswith(f"{path}: ")
    assert "replay.raw_fps" in message


def test_a_recording_that_comes_back_is_merged_on() -> None:
    def interrupted() -> Iterator[Frame | StreamEnd]:
        yield make_frame(0, 0.0, camera_id="a")
        yield StreamEnd("a", "stalled", at=1.0)
        yield from camera("a", 5.0)

    merged = merge_by_time(iter([interrupted(), camera("b", 0, 1)]), max_concurrent_files=8)
    assert order(merged) == ["a0", "a|", "b0", "b1", "b|", "a0", "a|"]
