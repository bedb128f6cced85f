"""The commands about events: `subscribe`, `flush` and `schema`."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

import typer

from pipeline.commands.command_errors import console, explained_errors
from pipeline.commands.options import ConfigFile, OutputDir, RedisUrl, Settings, load
from pipeline.runtime.shutdown import Shutdown, on_signals

log = logging.getLogger("behaviour-stream")
app = typer.Typer(rich_markup_mode="markdown")


@app.command(
    epilog="""
**Examples**

`run_pipeline.py subscribe --from 0 --no-follow`  everything that is on the stream now

`run_pipeline.py subscribe --json | jq .action`  new events as they come, for another program

`run_pipeline.py subscribe --group alarms --filter action=fight,push --filter kind=start`

`run_pipeline.py subscribe --group alarms --exec './ring-the-bell.sh --loud'`  once per event
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
        typer.Option(help="Share the events with others of this name, and go on where it stopped."),
    ] = None,
    consumer: Annotated[
        str | None, typer.Option(help="Our name in the group; default HOST-PID.")
    ] = None,
    conditions: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="KEY=VALUE,...",
            help="camera=gate-*, action=fight, kind=start,end or score=0.8 (at least).",
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
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Wait for new events, or stop at the end.")
    ] = True,
    redis: RedisUrl = None,
    config_file: ConfigFile = None,
    settings: Settings = None,
    output: OutputDir = None,
) -> None:
    """Print the events of a stream, or hand each to a program, as any subscriber would read them.

    With a group, an event that was printed or handed over is not seen again; one whose program
    failed is tried again, five times in all. What is missing on the stream is named on standard
    error.
    """
    from pipeline.commands.subscribe import print_events, print_report, program_runner

    if program is not None and group is None:
        raise typer.BadParameter(
            "without --group an event that failed could not be tried again", param_hint="--exec"
        )
    if group is not None and not follow:
        raise typer.BadParameter("a group waits for new events", param_hint="--no-follow")
    shutdown = Shutdown()
    with explained_errors(), ExitStack() as stack:
        stack.enter_context(on_signals(shutdown, lambda message: None))
        run = None if program is None else program_runner(program, timeout_s=exec_timeout_s)
        config = load(config_file, settings, output, redis)
        options = {
            "group": group,
            "consumer": consumer,
            "start": start,
            "conditions": conditions or (),
            "to_end_only": not follow,
            # An event in hand must not be taken for abandoned while its program runs.
            "claim_after_s": 60.0 if run is None else max(60.0, 4 * exec_timeout_s),
            "on_report": partial(print_report, err=sys.stderr),
        }
        subscriber = stack.enter_context(_open_subscriber(config, stack, options))
        shutdown.on_request(subscriber.stop)
        shutdown.bind(_end_at_once)
        if run is not None:
            subscriber.handle(run, count=count)
        else:
            print_events(subscriber, out=sys.stdout, count=count, as_json=as_json)


@app.command(
    epilog="""
**Examples**

`run_pipeline.py flush --output output --redis redis://localhost:6379/0`
"""
)
def flush(
    redis: RedisUrl = None,
    config_file: ConfigFile = None,
    settings: Settings = None,
    output: OutputDir = None,
) -> None:
    """Deliver the events that earlier runs of an output directory could not, each once, in order.

    A run that was killed had actions open: they end now, with the reason `interrupted`.
    """
    from pipeline.delivery.deliver import flush_events
    from pipeline.redaction import mask_url
    from pipeline.redis_store.embedded_redis import running_server

    shutdown = Shutdown()
    with explained_errors(), on_signals(shutdown, console.print):
        config = load(config_file, settings, output, redis)
        if config.redis.url == "none":
            raise typer.BadParameter("events are delivered to a server", param_hint="--redis")
        with running_server(config.redis.url, config.output / "redis") as url:
            folder = config.output / "outbox"
            shutdown.on_request(shutdown.now.set)
            shutdown.bind(_end_at_once)
            delivered = flush_events(url, config.redis, folder, shutdown.now)
            console.print(f"{delivered} events of {folder} delivered to {mask_url(url)}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of an event."""
    from pipeline.events import event_json_schema

    print(json.dumps(event_json_schema(), indent=2))


def _end_at_once() -> None:
    raise KeyboardInterrupt


def _open_subscriber(config: Any, stack: ExitStack, options: dict[str, Any]) -> Any:
    from pipeline.event_filter import KINDS, parse_filter
    from pipeline.redis_store.embedded_redis import running_server
    from pipeline.subscriber import Subscriber

    if config.redis.url == "none":
        raise typer.BadParameter(
            "there is nothing to read without a Redis server", param_hint="--redis"
        )
    try:
        wanted = parse_filter(options.pop("conditions"), kinds=KINDS)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--filter") from error
    url = stack.enter_context(running_server(config.redis.url, config.output / "redis"))
    try:
        subscriber = Subscriber(url, stream=config.redis.stream, wanted=wanted, **options)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--from") from error
    subscriber.ping()
    return subscriber
