from __future__ import annotations

import io
import os

from rich.console import Console

from pipeline.commands.live_report import LiveReport
from pipeline.types import DecidedEnd, StreamEnd
from testbed.clock import Clock
from tests.pipeline.decided_items import (
    make_alarm_event,
    make_camera_event,
    make_event,
    make_item,
)


def lines(out: io.StringIO) -> list[str]:
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_starts_ends_and_camera_states_are_printed_and_updates_are_not() -> None:
    out = io.StringIO()
    report = LiveReport(["gate"], out, Clock())
    events = [make_camera_event(1), *(make_event(n, kind) for n, kind in enumerate(KINDS, 2))]
    report.write(make_item(events=events))
    assert out.getvalue() == ""  # the stages do not wait for a terminal
    report.print_waiting()
    assert [line.split()[2:5] for line in lines(out)] == [
        ["camera", "up"],
        ["person", "7", "starts"],
        ["person", "7", "ended"],
    ]
    report.print_waiting()
    assert len(lines(out)) == 3


KINDS = ("start", "update", "end")


def test_the_end_of_the_run_is_no_news_of_its_cameras() -> None:
    out = io.StringIO()
    report = LiveReport(["gate"], out, Clock())
    stopped = make_camera_event(2, "camera_down", reason="stopped")
    report.write(DecidedEnd(StreamEnd("gate", "stopped"), (stopped,)))
    report.print_waiting()
    assert out.getvalue() == ""


def test_names_from_outside_are_escaped() -> None:
    out = io.StringIO()
    report = LiveReport(["gate"], out, Clock())
    report.write(make_item(events=[make_event(1, action="hug\x1b[2J")]))
    report.print_waiting()
    report.print_summary(Console(file=out, width=120))
    assert "\x1b" not in out.getvalue()


def test_quiet_prints_no_line_and_a_closed_pipe_ends_only_the_lines() -> None:
    quiet = LiveReport(["gate"], None, Clock())
    quiet.write(make_item(events=[make_event(1)]))
    quiet.print_waiting()
    reading, writing = os.pipe()
    os.close(reading)
    report = LiveReport(["gate"], os.fdopen(writing, "w"), Clock())
    for seq in (1, 2):
        report.write(make_item(events=[make_event(seq)]))
        report.print_waiting()


def test_the_summary_counts_actions_frames_and_time_without_each_camera() -> None:
    clock, out = Clock(), io.StringIO()
    report = LiveReport(["gate", "yard"], None, clock)
    clock.now += 30.0  # while models are loaded
    report.start()
    clock.now += 5.0  # until its first frame
    report.write(make_item(0, events=[make_event(1, "start"), make_event(2, "end")]))
    clock.now += 60.0
    down = StreamEnd("gate", "disconnected", "it ended the stream", at=1.0)
    report.write(DecidedEnd(down, ()))
    clock.now += 65.0
    report.write(DecidedEnd(down, ()))  # reported again, and down all the time
    report.write(make_item(1, events=[make_event(3, "start", action="hug")]))
    report.write(make_item(2, events=[make_alarm_event(4), make_alarm_event(5, "end")]))
    clock.now += 3600.0
    report.print_summary(Console(file=out, width=120))
    rows = {line.split()[1]: line for line in lines(out) if line.startswith("│")}
    assert rows["gate"] == "│ gate │ 3 │ 2 │ walking 1, hug 1 │ fight 1 │ 0:01:10 │"
    assert rows["yard"] == "│ yard │ 0 │ 0 │ - │ - │ 1:02:10 │"
