"""The decoder on files, which need no server; cameras on a network are integration tests."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.live.camera_messages import LiveFrame, OpenStream, StreamError, StreamStatistics
from pipeline.live.camera_source import CameraSource
from pipeline.live.stream_decoder import StreamDecoder
from tests.conftest import write_video


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> CameraSource:
    """Thirty frames of one second, played a hundred times as fast."""
    path = tmp_path_factory.mktemp("videos") / "second.mp4"
    write_video(path, [n / 30 for n in range(30)])
    return CameraSource("gate", "file", str(path), speed=100.0)


def request_for(source: CameraSource) -> OpenStream:
    return OpenStream(source, open_timeout_s=5.0, read_timeout_s=5.0, max_staleness_s=0.5)


def play(source: CameraSource) -> tuple[list[LiveFrame], StreamStatistics, StreamError]:
    """Everything up to the end."""
    decoder, items = StreamDecoder(request_for(source)), list[LiveFrame | StreamStatistics]()
    try:
        with pytest.raises(StreamError) as caught:
            for item in decoder.frames():
                items.append(item)
    finally:
        decoder.close()
    last = items[-1]
    assert isinstance(last, StreamStatistics)
    return [one for one in items if isinstance(one, LiveFrame)], last, caught.value


def test_a_file_is_decoded_to_its_end(source: CameraSource) -> None:
    frames, statistics, end = play(source)
    assert len(frames) == 30
    assert [one.times.decoded for one in frames] == list(range(1, 31))
    assert [one.times.pts_s for one in frames] == pytest.approx(
        [n / 30 for n in range(30)], abs=1e-3
    )
    assert frames[0].image.shape == (48, 64, 3)
    assert all(one.times.captured_s <= one.times.decoded_s for one in frames)
    assert statistics.drops == {}
    assert end.reason == "stream_ended"


def test_a_file_that_is_named_by_time_is_no_url(
    source: CameraSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(source.url)
    monkeypatch.chdir(path.parent)
    Path("10:00:00.mp4").symlink_to(path)
    frames, _, end = play(replace(source, url="10:00:00.mp4"))
    assert (len(frames), end.reason) == (30, "stream_ended")


def test_a_rate_selects_frames_and_counts_them_all(source: CameraSource) -> None:
    frames, statistics, _ = play(replace(source, detect_fps=10.0))
    assert [one.times.decoded for one in frames] == list(range(1, 31, 3))
    assert statistics.drops == {}


def test_a_loop_continues_its_media_time(source: CameraSource) -> None:
    decoder = StreamDecoder(request_for(replace(source, loop=True)))
    try:
        times = list[float]()
        for item in decoder.frames():
            times += [item.times.pts_s] if isinstance(item, LiveFrame) else []
            if len(times) == 75:
                break
    finally:
        decoder.close()
    assert times == pytest.approx([n / 30 for n in range(75)], abs=0.01)


def test_statistics_are_of_the_time_since_the_last_ones(source: CameraSource) -> None:
    decoder = StreamDecoder(request_for(source))
    try:
        decoder._drops["late"] = 2
        assert decoder.statistics() == StreamStatistics({"late": 2})
        assert decoder.statistics() == StreamStatistics()
    finally:
        decoder.close()


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "not_found"), (b"no video at all" * 100, "unreadable")]
)
def test_the_error_of_a_failed_open_names_the_reason_and_not_the_place(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "secret.mp4"
    if content is not None:
        path.write_bytes(content)
    before = threading.active_count()
    with pytest.raises(StreamError) as caught:
        StreamDecoder(request_for(CameraSource("gate", "file", str(path))))
    assert caught.value.reason == reason
    assert "secret" not in caught.value.detail
    assert threading.active_count() == before


@pytest.mark.parametrize("loop", [False, True])
def test_a_raw_stream_is_played_at_its_rate(tmp_path: Path, loop: bool) -> None:
    path = tmp_path / "a.m4v"  # raw MPEG-4: no time stamps
    with av.open(str(path), "w", format="m4v") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(4):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    decoder = StreamDecoder(request_for(CameraSource("gate", "file", str(path), loop=loop)))
    times = list[float]()
    try:
        for item in decoder.frames():
            times += [item.times.pts_s] if isinstance(item, LiveFrame) else []
            if len(times) == 6:
                break
    except StreamError as end:
        assert end.reason == "stream_ended"
    finally:
        decoder.close()
    assert times == pytest.approx([n / 25 for n in range(6 if loop else 4)], abs=0.005)
