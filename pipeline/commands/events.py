"""The commands `subscribe`, `flush` and `schema`."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from pipeline.commands.event_text import format_event
from pipeline.commands.options import (
    ConfigFile,
    OutputDir,
    RedisUrl,
    Settings,
    console,
    explained_errors,
    load,
    needed_server,
)
from pipeline.errors import ConfigError
from pipeline.events import Event, encode_event, event_json_schema
from pipeline.printable import printable
from pipeline.runtime.shutdown import Shutdown, on_signals

if TYPE_CHECKING:
    from pipeline.config.schema import PipelineConfig
    from pipeline.subscriber import Report, Subscriber

app = typer.Typer(rich_markup_mode="markdown")


@app.command(
    epilog="""
**Examples**

`behaviour-stream subscribe --from 0 --no-follow`  everything that is on the stream now

`behaviour-stream subscribe --json | jq .action`  new events as they come, for another program

`behaviour-stream subscribe --group alarms --filter action=fight,push --filter kind=start`

`behaviour-stream subscribe --group alarms --exec './ring-the-bell.sh --loud'`  once per event
"""
)
def subscribe(
    start: Annotated[
        str,
        typer.Option(
            "--from", metavar="0|$|ID", help="The beginning, only new, or after ID; of a new group."
        ),
    ] = "$",
    group: Annotated[
        str | None,
        typer.Option(help="Share the events of a group, and resume where it stopped."),
    ] = None,
    consumer: Annotated[
        str | None, typer.Option(help="Name of this consumer in the group; default HOST-PID.")
    ] = None,
    conditions: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="KEY=VALUE,...",
            help="camera=gate-*, action=fight, kind=start,end, score=0.8 (at least), "
            "rule=, severity=, zone= or phase= (of alarms).",
        ),
    ] = None,
    program: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="CMD",
            help="Run a program per event, its JSON on standard input; needs --group.",
        ),
    ] = None,
    exec_timeout_s: Annotated[
        float, typer.Option("--exec-timeout", help="Seconds for the program of --exec.")
    ] = 30.0,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many events.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document per line.")] = False,
    utc: Annotated[
        bool, typer.Option("--utc", help="The time of day in UTC instead of local time.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Wait for new events, or stop at the end.")
    ] = True,
    redis: RedisUrl = None,
    config_file: ConfigFile = None,
    settings: Settings = None,
    output: OutputDir = None,
) -> None:
    """Print the events of a stream, or run a program for each.

    With a group, an event that was printed or handled is not delivered again; one whose program
    failed is tried again, five times in all. Events missing from the stream are reported on
    standard error.
    """
    from pipeline.event_filter import parse_filter

    if program is not None and group is None:
        raise typer.BadParameter(
            "without --group an event that failed could not be tried again", param_hint="--exec"
        )
    if group is not None and not follow:
        raise typer.BadParameter("a group waits for new events", param_hint="--no-follow")
    try:
        wanted = parse_filter(conditions or ())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--filter") from error
    shutdown = Shutdown()
    with explained_errors(), ExitStack() as stack:
        stack.enter_context(on_signals(shutdown, lambda message: None))
        run = None if program is None else program_runner(program, timeout_s=exec_timeout_s)
        config = load(config_file, settings, output, redis)
        subscriber = open_subscriber(
            config,
            stack,
            group=group,
            consumer=consumer,
            start=start,
            wanted=wanted,
            to_end_only=not follow,
            # An event in hand must not be taken for abandoned while its program runs.
            claim_after_s=60.0 if run is None else max(60.0, 4 * exec_timeout_s),
            on_report=partial(print_report, err=sys.stderr),
        )
        shutdown.on_request(subscriber.stop)
        shutdown.bind_interrupt()
        if run is not None:
            subscriber.handle(run, count=count)
        else:
            zone = UTC if utc else None
            print_events(subscriber, out=sys.stdout, count=count, as_json=as_json, zone=zone)


@app.command(
    epilog="""
**Examples**

`behaviour-stream flush --output output --redis redis://localhost:6379/0`
"""
)
def flush(
    redis: RedisUrl = None,
    config_file: ConfigFile = None,
    settings: Settings = None,
    output: OutputDir = None,
) -> None:
    """Deliver the events that earlier runs left in an output directory, each once and in order.

    Actions that were ongoing when a run was killed end with the reason `interrupted`.
    """
    from pipeline.delivery.deliver import flush_events
    from pipeline.redaction import mask_url

    shutdown = Shutdown()
    with explained_errors(), on_signals(shutdown, console.print):
        config = load(config_file, settings, output, redis)
        with needed_server(config, "events are delivered to a server") as url:
            folder = config.output / "outbox"
            shutdown.on_request(shutdown.now.set)
            shutdown.bind_interrupt()
            delivered = flush_events(url, config.redis, folder, shutdown.now)
            console.print(f"{delivered} events of {folder} delivered to {mask_url(url)}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of an event."""
    print(json.dumps(event_json_schema(), indent=2))


def open_subscriber(config: PipelineConfig, stack: ExitStack, **options: Any) -> Subscriber:
    """Open a subscriber of the configured stream and check that its server answers.

    Args:
        config: its `redis` section names the server; `embedded` starts or joins the embedded one.
        stack: closes the subscriber and leaves the embedded server.
        **options: see `Subscriber`.

    Raises:
        EventStoreError: if the server does not answer or refuses.
        typer.BadParameter: if the configuration names no server, or `start` is no entry id.
    """
    from pipeline.subscriber import Subscriber

    why = "there is nothing to read without a Redis server"
    url = stack.enter_context(needed_server(config, why))
    try:
        subscriber = Subscriber(url, stream=config.redis.stream, **options)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--from") from error
    subscriber.ping()
    return stack.enter_context(subscriber)


def print_events(
    subscriber: Subscriber,
    *,
    out: TextIO,
    count: int | None = None,
    as_json: bool = False,
    zone: tzinfo | None = None,
) -> int:
    """Print one line per event, flushed immediately for programs that read from a pipe.

    Args:
        subscriber: source of the events.
        out: where the lines are written.
        count: return after this many; None: no limit.
        as_json: print the JSON of `encode_event` instead of a line for people.
        zone: of the time of day in a line for people; None: that of this machine.

    Returns:
        How many events were printed.

    Raises:
        EventStoreError: if the server refuses.
    """
    printed = 0
    if count == 0:
        return printed
    for event in subscriber:
        line = encode_event(event) if as_json else format_event(event, zone)
        print(line, file=out, flush=True)
        printed += 1
        if printed == count:
            subscriber.stop()
    return printed


def print_report(report: Report, *, err: TextIO) -> None:
    """Print a report: what is missing, repeated or unreadable."""
    print(printable(str(report)), file=err, flush=True)


def program_runner(command: str, *, timeout_s: float) -> Callable[[Event], None]:
    """Make a function that runs a program with the JSON of an event on its standard input.

    It raises if the program fails or takes too long, so that the event is tried again.

    Args:
        command: program and arguments, quoted as for a shell; no shell runs it.
        timeout_s: a program that takes longer is killed, seconds.

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
