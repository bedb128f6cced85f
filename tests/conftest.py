"""Fixtures and factories that several test files use."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.types import Frame, TrackedFrame, TrackedPerson

REPOSITORY = Path(__file__).resolve().parents[1]
# A test that uses one of these, directly or through another fixture, is slow, in any file:
# they start a server or hold a real video or a large model.
SLOW_FIXTURES = {"redis_program", "start_broker", "shared_data", "demo_video"}
WHOLE_PROGRAM = REPOSITORY / "tests" / "integration"  # each test runs it: all are slow
# Files whose tests build, compile or train networks over and over, start whole programs,
# or open a camera: most of the processor time of what is left.
SLOW_FILES = {
    REPOSITORY / "tests" / path
    for path in (
        "models/checkpoints/test_foreign_checkpoint.py",
        "models/detectors/test_weights_download.py",
        "models/detectors/test_yolo.py",
        "models/inference/test_action_recognizer.py",
        "models/inference/test_openvino_network.py",
        "models/inference/test_scene_recognizer.py",
        "models/inference/test_signal_stack.py",
        "pipeline/commands/test_recognizer_tools.py",
        "pipeline/sources/test_decoder_process.py",
        "testbed/test_rtsp_camera.py",
        "training/crops/test_preparation.py",
        "training/detector/test_loop.py",
        "training/fitting/test_epochs.py",
        "training/fitting/test_train.py",
        "training/fitting/test_trainer.py",
    )
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what `make test-fast` skips, by the fixtures that a test uses."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        in_slow_place = item.path in SLOW_FILES or WHOLE_PROGRAM in item.path.parents
        if fixtures & SLOW_FIXTURES or in_slow_place:
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count test functions: a parametrized one has many ids and is still one claim."""
    outcomes = ("passed", "failed", "error", "skipped", "xfailed")
    reports = [report for name in outcomes for report in terminalreporter.getreports(name)]
    functions = {report.nodeid.partition("[")[0] for report in reports}
    if functions:
        terminalreporter.write_line(f"{len(functions)} test functions")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Give every test the same random numbers, whichever tests ran before it."""
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def demo_video() -> Path:
    """The recording of `make demo`."""
    return REPOSITORY / "demo" / "pedestrians.mp4"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real videos and expected outputs; the test skips where it is absent."""
    folder = Path(os.environ.get("BEHAVIOUR_STREAM_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no shared data in {folder} (set BEHAVIOUR_STREAM_SHARED to its folder)")
    return folder


def write_video(
    path: Path,
    pts_s: Sequence[float],
    *,
    wh: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    shade: Callable[[int], int] = lambda index: 40 + 20 * (index % 8),
    each_lasts_s: float | None = None,
    left_half: int | None = None,
    noise: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode one grey frame per time stamp; the grey level identifies the frame."""

    def mux(packets: list[av.Packet]) -> None:
        for packet in packets:
            if each_lasts_s is not None:  # else what the encoder makes of the times
                packet.duration = round(each_lasts_s / packet.time_base)
            container.mux(packet)

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options=options)
        stream.width, stream.height = wh
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.time_base = Fraction(1, 30_000)
        stream.codec_context.time_base = Fraction(1, 30_000)
        for index, at_s in enumerate(pts_s):
            image = np.full((wh[1], wh[0], 3), shade(index), np.uint8)
            if noise:
                image = np.random.default_rng(index).integers(0, 255, image.shape, np.uint8)
            if left_half is not None:
                image[:, : wh[0] // 2] = left_half
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = round(at_s * 30_000), Fraction(1, 30_000)
            mux(stream.encode(frame))
        mux(stream.encode())
    return path


def make_frame(
    index: int = 0, pts_s: float | None = None, *, camera_id: str = "gate", level: int = 0
) -> Frame:
    """A small frame; at 10 frames per second by default."""
    image = np.full((48, 64, 3), level, np.uint8)
    at = 1000.0 + index
    return Frame(camera_id, index, index / 10 if pts_s is None else pts_s, at, image, at)


def make_tracked(
    frame: Frame, track_ids: Sequence[int] = (1,), ended: Sequence[int] = ()
) -> TrackedFrame:
    """The frame with a person per track id, all at the same place."""
    xyxy = np.array([10, 8, 30, 40], np.float32)
    people = tuple(TrackedPerson(track_id, xyxy, 0.9) for track_id in track_ids)
    at = frame.captured_at
    return TrackedFrame(frame, people, tuple(ended), detected_at=at + 0.1, tracked_at=at + 0.2)
