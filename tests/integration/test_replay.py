"""The wired pipeline over real (made) video files, with stand-ins for the models."""

from __future__ import annotations

import io
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from models.boxes import FloatArray
from models.detections import Detections
from pipeline.app import replay
from pipeline.components import Components
from pipeline.config.schema import load_config
from pipeline.events import ActionEvent, CameraEvent, decode_event
from pipeline.outputs.sinks import JsonLinesSink
from pipeline.runtime.shutdown import Shutdown
from pipeline.sources.video_files import VideoFile
from pipeline.stages.decisions import EventStamp
from pipeline.telemetry.replay_progress import ReplayProgress
from pipeline.types import DecidedEnd, DecidedFrame
from testbed.fakes import BrightnessRecognizer, OnePersonDetector, fake_components
from tests.conftest import write_video

CONFIG = load_config()


class Recorder:
    """A sink that remembers."""

    def __init__(self, on_item: Callable[[int], None] = lambda count: None) -> None:
        self.items: list[DecidedFrame | DecidedEnd] = []
        self._on_item = on_item

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        self.items.append(item)
        self._on_item(len(self.items))

    def close(self) -> None:
        pass

    @property
    def events(self) -> list[ActionEvent]:
        every = [event for item in self.items for event in item.events]
        return [event for event in every if isinstance(event, ActionEvent)]


def day_and_night(path: Path, seconds: float = 4.0, fps: float = 20.0) -> VideoFile:
    """Bright for the first half, dark for the second."""
    count = round(seconds * fps)
    write_video(
        path, [n / fps for n in range(count)], shade=lambda n: 230 if n < count // 2 else 20
    )
    return VideoFile(path.stem, path)


def run(
    videos: Sequence[VideoFile],
    *,
    components: Components | None = None,
    sink: Recorder | None = None,
    shutdown: Shutdown | None = None,
    keep_pixels: bool = False,
) -> tuple[Recorder, ReplayProgress]:
    sink = sink or Recorder()
    progress = ReplayProgress(Console(file=io.StringIO()), lambda: 0.0)
    for _ in replay(
        videos,
        components or fake_components(),
        CONFIG,
        EventStamp("test", "brightness", wall_clock=False),
        [sink, progress],
        shutdown or Shutdown(),
        opened=progress.opened,
        keep_pixels=keep_pixels,
    ):
        pass
    return sink, progress


@pytest.fixture
def no_thread_left() -> Callable[[], bool]:
    """Whether every thread that was started since the test began has ended."""
    before = set(threading.enumerate())  # libraries of earlier tests may have left threads
    return lambda: set(threading.enumerate()) <= before


def test_a_video_becomes_exactly_the_events_of_its_story(
    tmp_path: Path, no_thread_left: Callable[[], bool]
) -> None:
    sink, _ = run([day_and_night(tmp_path / "gate.mp4")])
    reported = [(event.kind, event.action, event.end_reason) for event in sink.events]
    assert reported == [
        ("start", "bright", None),
        ("update", "bright", None),
        ("start", "dark", None),
        ("end", "bright", "below_threshold"),
        ("update", "dark", None),
        ("end", "dark", "stream_ended"),
    ]
    assert [event.seq for event in sink.events] == list(range(2, 8))  # 1: the camera is up
    assert no_thread_left()


def test_an_hour_without_frames_ends_actions_and_tracks_at_the_hole(tmp_path: Path) -> None:
    times_s = [n / 20 for n in range(80)]
    path = write_video(
        tmp_path / "a.mkv", times_s + [3600 + t for t in times_s], shade=lambda n: 230
    )
    sink, progress = run([VideoFile("gate", path)])
    [first, second] = [event for event in sink.events if event.kind == "end"]
    assert (first.end_reason, second.end_reason) == ("camera_down", "stream_ended")
    assert first.end_pts_s == pytest.approx(3.9, abs=0.4)
    assert second.start_pts_s >= 3600
    assert first.track_id != second.track_id
    events = [event for item in sink.items for event in item.events]
    cameras = [event for event in events if isinstance(event, CameraEvent)]
    assert [(event.kind, event.reason) for event in cameras] == [
        ("camera_up", None),
        ("camera_down", "stalled"),
        ("camera_up", None),
        ("camera_down", "stream_ended"),
    ]
    assert [event.pts_s for event in cameras] == pytest.approx([0, 3.95, 3600, 3603.95])
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert progress.statistics.cameras["gate"].frames == 160


def test_no_event_mixes_the_box_and_the_size_of_different_frames(tmp_path: Path) -> None:
    parts = [
        write_video(
            tmp_path / f"{wh[0]}.mjpeg",
            [n / 25 for n in range(100)],
            codec="mjpeg",
            wh=wh,
            shade=lambda n: 230,
        )
        for wh in [(64, 48), (320, 240)]
    ]
    path = tmp_path / "gate.mjpeg"
    path.write_bytes(b"".join(part.read_bytes() for part in [*parts, parts[0]]))
    sink, _ = run([VideoFile("gate", path)])
    ends = [event for event in sink.events if event.kind == "end"]
    assert [event.frame_wh for event in ends] == [(64, 48), (320, 240), (64, 48)]
    for event in sink.events:
        assert event.xyxy[2] <= event.frame_wh[0]
        assert event.xyxy[3] <= event.frame_wh[1]
    assert len({event.track_id for event in ends}) == 3


def test_every_frame_arrives_in_order_and_then_the_end(tmp_path: Path) -> None:
    sink, progress = run([day_and_night(tmp_path / "gate.mp4")])
    *frames, end = sink.items
    assert isinstance(end, DecidedEnd)
    assert [f.tracked.frame.index for f in frames if isinstance(f, DecidedFrame)] == list(range(80))
    assert progress.statistics.cameras["gate"].frames == 80


def test_a_broken_file_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    videos = [
        VideoFile("broken", tmp_path / "broken.mp4"),
        VideoFile("missing", tmp_path / "missing.mp4"),
        day_and_night(tmp_path / "gate.mp4"),
    ]
    sink, progress = run(videos)
    assert {event.camera_id for event in sink.events} == {"gate"}
    assert progress.statistics.cameras["gate"].error is None
    assert [error.split(": ")[0] for error in progress.statistics.errors] == [
        str(tmp_path / "broken.mp4"),
        str(tmp_path / "missing.mp4"),
    ]


def lines_of(camera_id: str, path: Path) -> list[bytes]:
    lines = path.read_bytes().splitlines()
    return [line for line in lines if decode_event(line).camera_id == camera_id]


def test_a_cameras_events_are_the_same_bytes_alone_and_among_eight(tmp_path: Path) -> None:
    videos = [
        day_and_night(tmp_path / f"cam{n}.mp4", seconds=2 + n / 2, fps=10 + 3 * n) for n in range(8)
    ]

    def events_of(chosen: Sequence[VideoFile], name: str) -> Path:
        sink = JsonLinesSink(tmp_path / name)
        stamp = EventStamp("test", "brightness", wall_clock=False)
        for _ in replay(chosen, fake_components(), CONFIG, stamp, [sink], Shutdown()):
            pass
        sink.close()
        return tmp_path / name

    together = events_of(videos, "all.jsonl")
    again = events_of(videos, "again.jsonl")
    assert together.read_bytes() == again.read_bytes()
    for video in videos:
        alone = events_of([video], f"{video.camera_id}.jsonl")
        assert alone.read_bytes().splitlines() == lines_of(video.camera_id, together)
        assert alone.stat().st_size > 0


class BrokenRecognizer(BrightnessRecognizer):
    """Fails at the first clip."""

    def predict(self, clips: Sequence[NDArray[np.uint8]]) -> FloatArray:
        raise RuntimeError("the GPU fell off the bus")


class BrokenDetector(OnePersonDetector):
    """Fails at the first image."""

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list:
        raise RuntimeError("no such operator")


@pytest.mark.parametrize(
    ("components", "reported"),
    [
        (replace(fake_components(), recognizer=BrokenRecognizer()), "fell off the bus"),
        (replace(fake_components(), detector=BrokenDetector()), "no such operator"),
    ],
    ids=["recognizer", "detector"],
)
def test_a_failing_stage_is_raised_and_no_thread_is_left(
    tmp_path: Path, components: Components, reported: str, no_thread_left: Callable[[], bool]
) -> None:
    videos = [day_and_night(tmp_path / f"cam{n}.mp4", seconds=10) for n in range(3)]
    with pytest.raises(RuntimeError, match=reported):
        run(videos, components=components)
    assert no_thread_left()


def test_a_failing_sink_is_raised_and_no_thread_is_left(
    tmp_path: Path, no_thread_left: Callable[[], bool]
) -> None:
    def full(count: int) -> None:
        if count == 10:
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        run([day_and_night(tmp_path / "gate.mp4", seconds=20)], sink=Recorder(full))
    assert no_thread_left()


def test_a_first_request_to_stop_drains_and_closes_open_actions(
    tmp_path: Path, no_thread_left: Callable[[], bool]
) -> None:
    shutdown = Shutdown()
    sink = Recorder(lambda count: shutdown.request() if count == 30 else None)
    run([day_and_night(tmp_path / "gate.mp4", seconds=60)], sink=sink, shutdown=shutdown)
    assert isinstance(sink.items[-1], DecidedEnd)
    assert 30 < len(sink.items) < 1200
    assert (sink.events[-1].kind, sink.events[-1].end_reason) == ("end", "stream_ended")
    assert no_thread_left()


def test_a_second_request_ends_immediately(
    tmp_path: Path, no_thread_left: Callable[[], bool]
) -> None:
    shutdown = Shutdown()

    def impatient(count: int) -> None:
        if count == 30:
            shutdown.request()
            shutdown.request()

    sink = Recorder(impatient)
    run([day_and_night(tmp_path / "gate.mp4", seconds=60)], sink=sink, shutdown=shutdown)
    assert len(sink.items) == 30
    assert no_thread_left()


def test_no_more_frames_live_than_the_queues_hold(tmp_path: Path) -> None:
    """Memory does not depend on how long the video is, even when the sink is slow and draws."""
    images: list[weakref.ref[NDArray[np.uint8]]] = []
    most = 0

    class RememberingDetector(OnePersonDetector):
        def detect(self, batch: Sequence[NDArray[np.uint8]]) -> list[Detections]:
            images.extend(weakref.ref(image) for image in batch)
            return super().detect(batch)

    class Forgetful(Recorder):
        def write(self, item: DecidedFrame | DecidedEnd) -> None:
            nonlocal most
            most = max(most, sum(image() is not None for image in images))

    components = replace(fake_components(), detector=RememberingDetector())
    video = day_and_night(tmp_path / "gate.mp4", seconds=30)
    run([video], components=components, sink=Forgetful(), keep_pixels=True)
    queues = CONFIG.queues
    in_hand = queues.clips + 8  # a batch taken from `clips`, and one frame per stage
    assert len(images) == 600
    assert most <= queues.clips + queues.results + in_hand


def test_pixels_reach_the_sinks_only_when_one_draws(tmp_path: Path) -> None:
    video = day_and_night(tmp_path / "gate.mp4", seconds=1.0)

    def brightness(keep_pixels: bool) -> float:
        sink, _ = run([video], keep_pixels=keep_pixels)
        assert isinstance(sink.items[0], DecidedFrame)
        return float(sink.items[0].tracked.frame.image.mean())

    assert brightness(keep_pixels=True) == pytest.approx(230, abs=6)
    assert brightness(keep_pixels=False) == 0


class SceneBrightness:
    """Scores how bright the newest frame is where each person is."""

    def predict_scene(self, frames: NDArray[np.uint8], xyxy: FloatArray) -> FloatArray:
        rows = [frames[-1][int(y1) : int(y2), int(x1) : int(x2)] for x1, y1, x2, y2 in xyxy]
        bright = np.array([row.mean() / 255 for row in rows], np.float32)
        return np.stack([1 - bright, bright], axis=1)


def test_scenes_become_the_events_that_crops_become(tmp_path: Path) -> None:
    video = day_and_night(tmp_path / "gate.mp4")
    crops, _ = run([video])
    scenes, _ = run([video], components=replace(fake_components(), recognizer=SceneBrightness()))

    def story(sink: Recorder) -> list[tuple[str, str, float]]:
        return [(e.kind, e.action, e.start_pts_s) for e in sink.events]

    assert len(story(scenes)) > 3
    assert story(scenes) == story(crops)
