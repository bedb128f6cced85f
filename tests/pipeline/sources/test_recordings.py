from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.sources import recordings
from pipeline.sources.file_decoder import VideoInfo
from pipeline.sources.recordings import Recording, read_recording
from pipeline.sources.video_files import VideoFile
from pipeline.types import Frame, StreamEnd
from tests.conftest import make_frame, write_video

TEN_OCLOCK = 1764064800.0


@dataclass(frozen=True)
class Made:
    """A piece as the decoder would read it: 10 frames per second."""

    frames: int = 20
    error: str | None = None
    created_at: float | None = None
    declared_s: float = 0.0


def read(
    pieces: list[Made],
    starts_at: list[float | None],
    monkeypatch: pytest.MonkeyPatch,
    *,
    container_time: bool = False,
    stop: threading.Event | None = None,
) -> list[Frame | StreamEnd]:
    """Read pieces that no decoder has to decode."""
    made = {Path(f"{n}.mp4"): piece for n, piece in enumerate(pieces)}

    def read_made(
        video: VideoFile, *, opened: Callable[[str, VideoInfo], None], **_: object
    ) -> Iterator[Frame | StreamEnd]:
        piece = made[video.path]
        if piece.frames:
            info = VideoInfo("h264", 64, 48, 0, piece.declared_s, 10.0, piece.created_at)
            opened(video.camera_id, info)
        for index in range(piece.frames):
            yield make_frame(index, index / 10, camera_id=video.camera_id)
        yield StreamEnd(video.camera_id, "failed" if piece.error else "stream_ended", piece.error)

    monkeypatch.setattr(recordings, "read_frames", read_made)
    videos = tuple(VideoFile(path.stem, path) for path in made)
    recording = Recording("gate", videos, tuple(starts_at), container_time)
    return list(
        read_recording(
            recording,
            stop=stop or threading.Event(),
            now=lambda: 0.0,
            opened=lambda camera_id, info: None,
        )
    )


def frames_of(items: list[Frame | StreamEnd]) -> list[Frame]:
    return [item for item in items if isinstance(item, Frame)]


def first_frames(items: list[Frame | StreamEnd], pieces: int = 2, each: int = 20) -> list[float]:
    return [frames_of(items)[n * each].pts_s for n in range(pieces)]


def test_pieces_continue_each_other_as_if_they_were_one_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    *frames, end = read([Made()] * 3, [None] * 3, monkeypatch)
    times_s = [frame.pts_s for frame in frames_of(frames)]
    assert times_s == pytest.approx([n / 10 for n in range(60)])
    assert [frame.index for frame in frames_of(frames)] == list(range(60))
    assert {frame.camera_id for frame in frames_of(frames)} == {"gate"}
    assert end == StreamEnd("gate")


@pytest.mark.parametrize(
    ("second_at_s", "seam_s"),
    [(2.0, 2.0), (2.9, 2.0), (1.1, 2.0), (3.5, 3.5), (60.0, 60.0), (-5.0, 2.0)],
)
def test_a_seam_is_as_long_as_the_times_say_but_for_what_whole_seconds_cannot_say(
    monkeypatch: pytest.MonkeyPatch, second_at_s: float, seam_s: float
) -> None:
    items = read([Made()] * 2, [TEN_OCLOCK, TEN_OCLOCK + second_at_s], monkeypatch)
    assert first_frames(items) == pytest.approx([0.0, seam_s])


def test_frames_carry_the_time_of_their_piece_and_never_go_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items = read([Made()] * 3, [TEN_OCLOCK + at for at in (0.0, 1.0, 60.0)], monkeypatch)
    times = [frame.recorded_at or 0.0 for frame in frames_of(items)]
    assert times == sorted(times)
    assert (times[0], times[40]) == (TEN_OCLOCK, TEN_OCLOCK + 60)
    assert times[30] == pytest.approx(TEN_OCLOCK + 2.0)


def test_a_start_time_is_enough_for_all_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = frames_of(read([Made()] * 2, [TEN_OCLOCK, None], monkeypatch))
    assert frames[25].recorded_at == pytest.approx(TEN_OCLOCK + 2.5)
    assert frames[25].seen_at == frames[25].recorded_at


def test_the_containers_time_is_used_where_that_is_wanted_and_no_other_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pieces = [Made(created_at=TEN_OCLOCK)]
    used = frames_of(read(pieces, [None], monkeypatch, container_time=True))
    assert used[5].recorded_at == pytest.approx(TEN_OCLOCK + 0.5)
    given = frames_of(read(pieces, [5.0], monkeypatch, container_time=True))
    assert given[0].recorded_at == 5.0
    ignored = frames_of(read(pieces, [None], monkeypatch))
    assert ignored[0].recorded_at is None
    assert ignored[0].seen_at == ignored[0].captured_at


def test_a_piece_that_fails_costs_itself_and_leaves_its_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pieces = [Made(), Made(5, "1.mp4: truncated", declared_s=2.0), Made(0, "2.mp4: empty"), Made()]
    *frames, end = read(pieces, [None] * 4, monkeypatch)
    times_s = [frame.pts_s for frame in frames_of(frames)]
    assert times_s[25] == pytest.approx(6.0)  # 2 s, 2 s as declared, as long as the one before
    assert frames_of(frames)[25].index == 25
    assert end == StreamEnd("gate", "failed", "1.mp4: truncated; 2.mp4: empty")


def test_a_stop_ends_the_pieces_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    stop.set()
    items = read([Made()] * 3, [None] * 3, monkeypatch, stop=stop)
    assert len(frames_of(items)) == 20
    assert items[-1] == StreamEnd("gate", "stopped")


def test_real_pieces_give_the_frames_of_the_whole(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.mp4" for n in range(2)]
    for path in paths:
        write_video(path, [n / 20 for n in range(10)])
    pieces = tuple(VideoFile(path.stem, path) for path in paths)
    opened: list[str] = []
    items = list(
        read_recording(
            Recording("gate", pieces, (None, None)),
            stop=threading.Event(),
            now=lambda: 0.0,
            opened=lambda camera_id, info: opened.append(camera_id),
        )
    )
    times_s = [frame.pts_s for frame in frames_of(items)]
    assert times_s == pytest.approx([n / 20 for n in range(20)], abs=1e-3)
    assert opened == ["gate", "gate"]
