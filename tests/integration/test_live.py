"""Several cameras in one run: real streams and processes, stand-ins for the models."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.detections import Detections
from pipeline.app import replay
from pipeline.config.schema import load_config
from pipeline.errors import ConfigError
from pipeline.events import ActionEvent, AlarmEvent, Event
from pipeline.live.camera_source import CameraSource, parse_source
from pipeline.runtime.shutdown import Shutdown
from pipeline.sources.video_files import VideoFile
from testbed.fakes import BrightnessRecognizer, OnePersonDetector, fake_components
from testbed.free_port import free_port
from testbed.live_runs import STAMP, LiveRun
from testbed.rtsp_camera import RtspCamera, missing_rtsp_server
from testbed.videos_h264 import Image, encode_h264

pytestmark = pytest.mark.skipif(
    missing_rtsp_server() is not None, reason=str(missing_rtsp_server())
)
FPS = 20
STRIDE_S = 0.5


def flashes(seconds: int) -> Iterator[Image]:
    """Dark and bright by turns, two seconds each, each with a small image."""
    rng = np.random.default_rng(0)
    for index in range(seconds * FPS):
        level = 220 if index // (2 * FPS) % 2 else 30
        yield rng.integers(level - 10, level + 10, (96, 128, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode_h264(tmp_path_factory.mktemp("films") / "film.mp4", flashes(8), FPS)


@pytest.fixture
def server(video: Path) -> Iterator[RtspCamera]:
    with RtspCamera(video) as server:
        yield server


def cameras(server: RtspCamera, *names: str) -> list[CameraSource]:
    return [parse_source(server.url, name) for name in names]


class SlowDetector(OnePersonDetector):
    """Takes a fixed time for each frame."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        time.sleep(self._seconds * len(images))
        return super().detect(images)


class SlowRecognizer(BrightnessRecognizer):
    """Takes a fixed time for each clip."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def predict(self, clips: Sequence[NDArray[np.uint8]]) -> FloatArray:
        time.sleep(self._seconds * len(clips))
        return super().predict(clips)


class FailingDetector(OnePersonDetector):
    """Fails on request."""

    def __init__(self) -> None:
        self.fail = threading.Event()

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        if self.fail.is_set():
            raise ArithmeticError("the GPU is gone")
        return super().detect(images)


def changes(events: Sequence[Event]) -> list[ActionEvent]:
    """Starts and ends, without those that the end of the video causes."""
    actions = [e for e in events if isinstance(e, ActionEvent) and e.kind != "update"]
    return [e for e in actions if e.end_reason != "stream_ended"]


def test_replay_and_live_agree(video: Path) -> None:
    config, files = load_config(), [VideoFile("gate", video)]
    expected = changes(list(replay(files, fake_components(), config, STAMP, [], Shutdown())))
    with (
        RtspCamera(video, per_client=True) as server,
        LiveRun(cameras(server, "gate"), fake_components()) as run,
    ):
        run.wait_until(lambda: len(changes(run.events)) >= len(expected))
        drops = sum(run.camera("gate").drops.values())
    assert drops <= 5  # the first frame of an RTSP stream has no timestamp
    assert len(expected) >= 7
    for got, event in zip(changes(run.events), expected, strict=False):
        assert (got.kind, got.action, got.instance_id) == (
            event.kind,
            event.action,
            event.instance_id,
        )
        assert got.start_pts_s == pytest.approx(event.start_pts_s, abs=STRIDE_S)
        assert got.end_pts_s == pytest.approx(event.end_pts_s, abs=STRIDE_S)


def test_one_dead_camera_of_four_costs_the_others_nothing(server: RtspCamera) -> None:
    dead = parse_source(f"rtsp://127.0.0.1:{free_port()}/cam", "dead")
    with LiveRun([dead, *cameras(server, "a", "b", "c")], fake_components()) as run:
        run.wait_until(lambda: all(run.detected(name) > 3 * FPS for name in "abc"))
        assert run.camera("dead").reason == "unreachable"
        drops = {name: sum(run.camera(name).drops.values()) for name in "abc"}
        counts = {name: run.detected(name) for name in "abc"}
    for name in "abc":
        assert drops[name] < 0.1 * counts[name]
        assert [event.kind for event in run.states(name)] == ["camera_up", "camera_down"]
    [down] = run.states("dead")
    assert (down.kind, down.reason, down.seq) == ("camera_down", "unreachable", 1)


def test_the_actions_of_a_camera_that_disconnects_end_and_new_ones_begin(
    server: RtspCamera,
) -> None:
    with LiveRun(cameras(server, "gate"), fake_components()) as run:
        run.wait_until(lambda: bool(run.actions("gate")))
        server.kill()
        run.wait_until(lambda: run.states("gate")[-1].kind == "camera_down")
        server.restart()
        before = len(run.events)
        run.wait_until(lambda: any(e.kind == "start" for e in run.actions("gate")[-1:]))
        run.wait_until(lambda: len(run.events) > before + 1)
    kinds = [event.kind for event in run.events]
    down = kinds.index("camera_down")
    ended = run.events[down - 1]
    assert isinstance(ended, ActionEvent)
    assert (ended.kind, ended.end_reason) == ("end", "camera_down")
    assert kinds[down + 1 : down + 3] == ["camera_up", "start"]
    assert [event.seq for event in run.events] == list(range(1, len(run.events) + 1))
    starts = [e for e in run.actions("gate") if e.kind == "start"]
    assert starts[0].track_id != starts[-1].track_id


def test_a_slow_recognizer_delays_neither_detection_nor_reports(server: RtspCamera) -> None:
    components = replace(fake_components(), recognizer=SlowRecognizer(0.7))
    with LiveRun(cameras(server, "a", "b", "c"), components) as run:
        run.wait_until(lambda: run.snapshot().dropped_clips >= 15)
        ages = [run.camera(name).staleness_s for name in "abc"]
        detected_frames = sum(run.detected(name) for name in "abc")
        stale = sum(run.camera(name).drops["stale"] for name in "abc")
        _, p95, _ = run.snapshot().latency_s["total"]
    assert max(age for age in ages if age is not None) < 0.5
    assert stale < 0.1 * detected_frames
    assert p95 < 1.0 + 0.7 * 2 + 0.5  # its longest wait, two calls of the recognizer, the rest


def test_a_slow_detector_processes_every_camera_less_often_and_never_late(
    server: RtspCamera, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    components = replace(fake_components(), detector=SlowDetector(0.1))
    with LiveRun(cameras(server, "a", "b", "c"), components) as run:
        run.wait_until(lambda: all(run.detected(name) for name in "abc"))
        before = np.array([run.detected(name) for name in "abc"])
        run.wait_until(lambda: all(run.detected(name) > before.max() + 10 for name in "abc"))
        counts = np.array([run.detected(name) for name in "abc"]) - before
        run.wait_until(lambda: "too little compute" in caplog.text)
        _, p95, _ = run.snapshot().latency_s["total"]
    assert counts.max() - counts.min() <= 2
    assert p95 < 1.2
    assert caplog.text.count("too little compute") == 1
    assert any("fps" in line and "3 of 3 cameras up" in line for line in run.lines)


def test_cameras_come_change_and_go_while_the_others_are_not_touched(
    server: RtspCamera, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with LiveRun(cameras(server, "stays", "goes"), fake_components()) as run:
        run.wait_until(lambda: run.detected("stays") > 5 and run.detected("goes") > 5)
        stays, _ = run.cameras
        run.cameras = (stays, *cameras(server, "comes"))
        run.reload_requested.set()
        run.wait_until(lambda: run.detected("comes") > 5)
        assert [one.camera_id for one in run.snapshot().cameras] == ["stays", "comes"]
        run.cameras = (stays, replace(run.cameras[1], detect_fps=5.0))
        before = len(run.states("comes"))
        run.reload_requested.set()
        run.wait_until(lambda: len(run.states("comes")) == before + 2)
        assert run.camera("stays").connects == 1
    assert [event.kind for event in run.states("stays")] == ["camera_up", "camera_down"]
    assert [(e.kind, e.reason) for e in run.states("goes")] == [
        ("camera_up", None),
        ("camera_down", "stopped"),
    ]
    seqs = [event.seq for event in run.events if event.camera_id == "comes"]
    assert seqs == list(range(1, len(seqs) + 1))


def test_a_removed_rule_ends_its_alarm_while_the_camera_is_not_touched(video: Path) -> None:
    source = parse_source(f"{video}?live&loop", "gate")
    rules = ["rules={light: {action: bright, end_after_s: 600}}"]

    def alarms() -> list[AlarmEvent]:
        return [event for event in run.events if isinstance(event, AlarmEvent)]

    with LiveRun([source], fake_components(), rules) as run:
        run.wait_until(lambda: bool(alarms()))
        with pytest.raises(ConfigError, match=r"rules.light.action: dim: "):
            run.settings.reload(load_config(None, ["rules={light: {action: dim}}"]))
        run.settings.reload(load_config(None, []))
        run.wait_until(lambda: alarms()[-1].phase == "end")
        assert run.camera("gate").connects == 1
    assert [alarm.phase for alarm in alarms() if alarm.phase != "update"] == ["start", "end"]
    assert alarms()[-1].end_reason == "rule_removed"
    assert [event.seq for event in run.events] == list(range(1, len(run.events) + 1))


def test_a_stage_that_fails_ends_the_run_even_if_a_camera_hangs(
    server: RtspCamera, video: Path
) -> None:
    detector = FailingDetector()
    run = LiveRun(cameras(server, "a", "b"), replace(fake_components(), detector=detector))
    with pytest.raises(ArithmeticError, match="the GPU is gone"), run:
        run.wait_until(lambda: run.detected("a") > 5)
        with RtspCamera(video) as hung:
            hung.freeze()
            run.cameras = (*run.cameras, *cameras(hung, "hangs"))
            run.reload_requested.set()
            run.wait_until(lambda: len(run.snapshot().cameras) == 3)
            detector.fail.set()
            run.join(5.0)


def test_stopping_takes_less_than_five_seconds_whatever_the_cameras_do(
    server: RtspCamera, video: Path
) -> None:
    components = replace(
        fake_components(), detector=SlowDetector(0.2), recognizer=SlowRecognizer(0.5)
    )
    with RtspCamera(video) as hung:
        refused = parse_source(f"rtsp://127.0.0.1:{free_port()}/cam", "refused")
        sources = [*cameras(server, "a", "b"), *cameras(hung, "hangs"), refused]
        with LiveRun(sources, components) as run:
            run.wait_until(lambda: all(run.detected(name) for name in ("a", "b", "hangs")))
            hung.freeze()
            time.sleep(0.3)  # so that it waits for what does not come
            assert run.stop() < 5.0


def test_a_run_of_files_ends_with_the_last_of_them(video: Path) -> None:
    source = parse_source(f"{video}?live&speed=2", "gate")
    patient = (  # a busy machine may be late; other tests cover the frames dropped then
        "live.waiting_frames=1000",
        "live.max_staleness_s=60",
        "live.max_clip_staleness_s=60",
    )
    with LiveRun([source], fake_components(), patient) as run:
        run.join(60.0)
    assert run.error is None
    assert run.states("gate")[-1].reason == "stream_ended"
    assert len(run.actions("gate")) >= 8
