"""What `subscribe` prints, and what it does with a program."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.commands.events import print_events, print_report, program_runner
from pipeline.delivery.stream_writer import EventStream
from pipeline.errors import ConfigError
from pipeline.events import decode_event, encode_event
from pipeline.subscriber import Subscriber
from pipeline.subscriber.reports import BadEntry
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event, stored


def test_events_are_printed_until_the_count_is_reached(stream: EventStream, server: str) -> None:
    events = [make_event(seq) for seq in (1, 2, 3)]
    stream.append([stored(event) for event in events])
    out = io.StringIO()
    with Subscriber(server, stream=STREAM, start="0") as subscriber:
        assert print_events(subscriber, out=out, count=2, as_json=True) == 2
    assert [decode_event(line) for line in out.getvalue().splitlines()] == events[:2]
    with Subscriber(server, stream=STREAM, start="0") as subscriber:
        assert print_events(subscriber, out=out, count=0) == 0


def test_every_line_reaches_a_pipe_immediately(
    stream: EventStream, server: str, tmp_path: Path
) -> None:
    stream.append([stored(make_event(1))])
    path = tmp_path / "pipe"
    with path.open("w") as out, Subscriber(server, stream=STREAM, start="0") as subscriber:
        print_events(subscriber, out=out, count=1, as_json=True)
        assert decode_event(path.read_text()) == make_event(1)  # before the file is closed


def test_a_report_is_a_line_without_what_a_terminal_would_obey() -> None:
    err = io.StringIO()
    print_report(BadEntry("5-0", "\x1b[2J"), err=err)
    assert err.getvalue() == "entry 5-0 skipped: \\x1b[2J\n"


def test_a_program_gets_the_event_on_its_standard_input(tmp_path: Path) -> None:
    target = tmp_path / "got it.json"
    script = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    run = program_runner(f'{sys.executable} -c "{script}" "{target}"', timeout_s=60)
    run(make_event(1))
    assert target.read_text() == encode_event(make_event(1)) + "\n"
    assert json.loads(target.read_text())["seq"] == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("raise SystemExit(3)", subprocess.CalledProcessError),
        ("import time; time.sleep(60)", subprocess.TimeoutExpired),
    ],
)
def test_a_program_that_fails_or_hangs_is_an_error(code: str, error: type[Exception]) -> None:
    run = program_runner(f'{sys.executable} -c "{code}"', timeout_s=1.0)
    with pytest.raises(error):
        run(make_event(1))


@pytest.mark.parametrize("command", ["", "no-such-program --loud", '"unclosed'])
def test_a_program_that_is_not_there_is_named_before_anything_is_read(command: str) -> None:
    with pytest.raises(ConfigError, match="--exec"):
        program_runner(command, timeout_s=1.0)
