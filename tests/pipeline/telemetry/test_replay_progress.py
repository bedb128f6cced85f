from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from pipeline.sources.file_decoder import VideoInfo
from pipeline.telemetry.replay_progress import ReplayProgress
from pipeline.telemetry.silence import RunLimits
from pipeline.types import DecidedEnd, DecidedFrame, StreamEnd
from testbed.clock import Clock
from tests.conftest import make_frame, make_tracked

LIMITS = RunLimits(confidence=0.4, max_gap_s=0.5, clip_span_s=2.1)


def info(frames: int) -> VideoInfo:
    return VideoInfo("h264", 64, 48, frames, duration_s=frames / 10, fps=10.0)


def follow(clock: Clock, *, terminal: bool = False) -> tuple[ReplayProgress, io.StringIO]:
    out = io.StringIO()
    return ReplayProgress(Console(file=out, width=120, force_terminal=terminal), clock), out


def frame(index: int, camera_id: str = "gate", people: tuple[int, ...] = (1,)) -> DecidedFrame:
    return DecidedFrame(make_tracked(make_frame(index, camera_id=camera_id), people), ())


def test_without_a_terminal_a_line_comes_every_few_seconds_and_not_per_frame() -> None:
    clock = Clock()
    progress, out = follow(clock)
    with progress:
        progress.opened("gate", info(100))
        for index in range(60):
            clock.now += 0.25  # 15 s in all, 4 frames per second
            progress.write(frame(index))
    lines = out.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0] == "gate: 20 of 100 frames, 4.0 fps in all, 1 people, 0 actions, 20 s left"


def test_a_file_that_failed_is_reported_immediately_and_in_the_summary() -> None:
    progress, out = follow(Clock())
    with progress:
        progress.write(DecidedEnd(StreamEnd("gate", "failed", "gate.mp4: the file is empty"), ()))
        progress.write(frame(0, "yard"))
        progress.write(DecidedEnd(StreamEnd("yard"), ()))
    progress.print_summary(LIMITS)
    text = out.getvalue()
    assert "error: gate.mp4: the file is empty" in text
    rows = {line.split()[1]: line for line in text.splitlines() if line.startswith("│")}
    assert "failed" in rows["gate"]
    assert "complete" in rows["yard"]
    assert progress.statistics.errors == ["gate.mp4: the file is empty"]


def test_a_file_that_was_stopped_is_not_called_complete() -> None:
    progress, out = follow(Clock())
    progress.write(frame(0))
    progress.write(DecidedEnd(StreamEnd("gate", "stopped"), ()))
    progress.print_summary(LIMITS)
    assert "stopped" in out.getvalue()
    assert "complete" not in out.getvalue()


def test_a_terminal_gets_bars() -> None:
    clock = Clock()
    progress, out = follow(clock, terminal=True)
    with progress:
        progress.opened("gate", info(2))
        clock.now += 1
        progress.write(frame(0))
        progress.write(frame(1))
    assert "gate" in out.getvalue()
    assert "2/2" in out.getvalue()


def test_square_brackets_in_a_file_name_are_no_markup() -> None:
    progress, out = follow(Clock())
    progress.write(DecidedEnd(StreamEnd("a", "failed", "[red]clip[/blue].mp4: no such file"), ()))
    assert "[red]clip[/blue].mp4" in out.getvalue()


def test_clips_without_finite_scores_are_named_in_the_summary() -> None:
    progress, text = follow(Clock())
    progress.write(frame(0))
    progress.print_summary(LIMITS)
    assert "not finite" not in text.getvalue()
    progress.write(replace(frame(1), unscored=3))
    progress.print_summary(LIMITS)
    assert "3 clips have scores that are not finite numbers" in text.getvalue()


def test_the_summary_reports_why_nothing_came_of_a_file() -> None:
    progress, out = follow(Clock())
    for index in range(5):
        progress.write(frame(index, "[b]yard", people=()))
    progress.write(DecidedEnd(StreamEnd("[b]yard"), ()))
    progress.print_summary(LIMITS)
    [line] = [line for line in out.getvalue().splitlines() if "no action in" in line]
    assert line.startswith("no action in [b]yard: no person was found in 5 frames")
