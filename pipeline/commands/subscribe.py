"""What the command `subscribe` does with events: print them, or hand each to a program."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable
from typing import TextIO

from pipeline.errors import ConfigError
from pipeline.events import CameraEvent, Event, encode_event
from pipeline.subscriber import Subscriber
from pipeline.subscriber.reports import Report
from pipeline.time_text import format_media_time

_VERBS = {"start": "starts", "update": "still", "end": "ended"}


def print_events(
    subscriber: Subscriber, *, out: TextIO, count: int | None = None, as_json: bool = False
) -> int:
    """Print one line per event, flushed at once, so that a pipe sees it as it happens.

    Args:
        subscriber: where they come from.
        out: gets the events.
        count: return after this many; None: no limit.
        as_json: print what `encode_event` gives instead of a line for people.

    Returns:
        How many events were printed.

    Raises:
        EventStoreError: if the server refuses.
    """
    printed = 0
    if count == 0:
        return printed
    for event in subscriber:
        print(encode_event(event) if as_json else format_event(event), file=out, flush=True)
        printed += 1
        if printed == count:
            subscriber.stop()
    return printed


def print_report(report: Report, *, err: TextIO) -> None:
    """Say what is missing, doubled or unreadable."""
    print(_printable(str(report)), file=err, flush=True)


def program_runner(command: str, *, timeout_s: float) -> Callable[[Event], None]:
    """A function that runs a program with an event's JSON on its standard input.

    It raises if the program fails or takes too long, so that the event is tried again.

    Args:
        command: program and arguments, quoted as for a shell; no shell runs it.
        timeout_s: a program that takes longer is killed.

    Raises:
        ConfigError: if there is no such program.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"--exec {command}: {error}") from error
    if not words or shutil.which(words[0]) is None:
        raise ConfigError(f"--exec {command}: there is no program {words[0] if words else ''!r}")

    def run(event: Event) -> None:
        subprocess.run(  # noqa: S603 - the user's own program
            words, input=encode_event(event) + "\n", text=True, check=True, timeout=timeout_s
        )

    return run


def format_event(event: Event) -> str:
    """One line for people: where, when (media time), who, what, how sure.

    `pets09  0:12.3  person 7    starts  walking         93%`
    """
    if isinstance(event, CameraEvent):
        why = f": {event.reason.replace('_', ' ')}" if event.reason else ""
        what = f"camera {event.kind.removeprefix('camera_')}{why}"
        return _printable(f"{event.camera_id}  {format_media_time(event.pts_s):>7}  {what}")
    when_s = event.start_pts_s if event.kind == "start" else event.end_pts_s
    line = (
        f"{event.camera_id}  {format_media_time(when_s):>7}  person {event.track_id:<3} "
        f"{_VERBS[event.kind]:<6}  {event.action:<14}  {event.score:4.0%}"
    )
    if event.kind == "end":
        why = f", {event.end_reason.replace('_', ' ')}" if event.end_reason else ""
        duration_s = event.end_pts_s - event.start_pts_s
        line += f"  after {duration_s:.1f} s, at most {event.peak_score:.0%}{why}"
    return _printable(line)


def _printable(text: str) -> str:
    """Names come from other programs; an escape sequence in them must not reach a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
