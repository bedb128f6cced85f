#!/usr/bin/env python
"""The command line of behaviour-stream: arguments -> configuration -> app; nothing else."""

from __future__ import annotations

import json
import logging
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

# Read when PyTorch is loaded, which happens later. Its idle threads must sleep: while they spin,
# other stages and, on a loaded machine, other programs do not get their cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

PROJECT = Path(__file__).resolve().parent
DEFAULTS = PROJECT / "configs" / "default.yaml"
EXIT_FAILED = 1  # the run ended, but something in it failed
EXIT_USAGE = 2  # nothing was run: wrong arguments, configuration or environment
EXIT_INTERRUPTED = 130

log = logging.getLogger("behaviour-stream")
console = Console(stderr=True)
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Who does what, as it happens: cameras in, action events on Redis streams out.",
    epilog="""
**Examples**

`run_pipeline.py replay street.mp4 --annotated drawn.mp4`  recognize the actions of a video

`run_pipeline.py subscribe --from 0`  print them, and what comes after them

`run_pipeline.py replay --help`  every option, with more examples
""",
)

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="YAML file with what differs from the defaults.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One key, e.g. detector.confidence=0.5."),
]
RedisUrl = Annotated[
    str | None,
    typer.Option(
        "--redis",
        metavar="URL|embedded|none",
        help="A server, one of our own under the output directory (default), or none.",
    ),
]
OutputDir = Annotated[
    Path | None, typer.Option("--output", help="Directory for everything that is written.")
]


class LogLevel(StrEnum):
    """How much the program says on standard error."""

    debug = "debug"
    info = "info"
    warning = "warning"


@app.callback()
def main(
    log_level: Annotated[LogLevel, typer.Option(help="How much is said on standard error.")] = (
        LogLevel.info
    ),
) -> None:
    """Set up logging for every command."""
    on_terminal = RichHandler(console=console, show_path=False, markup=False, highlighter=None)
    handler = on_terminal if console.is_terminal else logging.StreamHandler()
    layout = "%(message)s" if console.is_terminal else "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(
        level=log_level.value.upper(), format=layout, datefmt="%H:%M:%S", handlers=[handler]
    )


@app.command(
    epilog="""
**Examples**

`run_pipeline.py replay street.mp4`

`run_pipeline.py replay recordings/ --annotated drawn/ --tracks tracks/`

`run_pipeline.py replay 'day1/*.mp4' --redis redis://localhost:6379/0`

`run_pipeline.py replay a.mp4 --set detector.weights=yolo11s.pt --redis none --events a.jsonl`
"""
)
def replay(
    videos: Annotated[
        list[str], typer.Argument(metavar="VIDEO...", help="Files, directories or globs.")
    ],
    config_file: ConfigFile = None,
    settings: Settings = None,
    output: OutputDir = None,
    events: Annotated[
        Path | None, typer.Option(help="JSON lines file; default OUTPUT/events.jsonl.")
    ] = None,
    annotated: Annotated[
        Path | None, typer.Option(help="Draw into FILE.mp4, or one file per video into a DIR.")
    ] = None,
    tracks: Annotated[
        Path | None, typer.Option(help="DIR for one MOTChallenge text file per video.")
    ] = None,
    redis: RedisUrl = None,
    wall_clock: Annotated[
        bool,
        typer.Option(
            "--wall-clock/--no-wall-clock",
            help="Without it the same input gives byte-identical events.",
        ),
    ] = True,
) -> None:
    """Recognize the actions in recorded video: every frame, the same events every time.

    Each file is a camera of its own; all go through one pipeline at once. Events go to a file of
    JSON lines and to a Redis stream, from which `subscribe` prints them.
    """
    from pipeline.replay_run import ReplayRequest, run_replay
    from pipeline.shutdown import Shutdown, on_signals

    shutdown = Shutdown()
    with explained_errors(), on_signals(shutdown, console.print):
        config = load(config_file, settings, output, redis)
        request = ReplayRequest(
            videos=tuple(videos),
            events=events or config.output / "events.jsonl",
            annotated=annotated,
            tracks=tracks,
            run_id=new_run_id() if wall_clock else "replay",
            wall_clock=wall_clock,
        )
        failed = run_replay(request, config, PROJECT, console, shutdown)
    if shutdown.requested:
        raise typer.Exit(EXIT_INTERRUPTED)
    if failed:
        raise typer.Exit(EXIT_FAILED)


@app.command(
    epilog="""
**Examples**

`run_pipeline.py subscribe --from 0 --no-follow`  everything that is on the stream now

`run_pipeline.py subscribe --json | jq .action`  new events as they come, for another program

`run_pipeline.py subscribe --redis redis://localhost:6379/0 --count 10`
"""
)
def subscribe(
    start: Annotated[
        str, typer.Option("--from", metavar="0|$|ID", help="The beginning, only new, or after ID.")
    ] = "$",
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
    """Print the events of a stream, as any subscriber would read them."""
    from pipeline.embedded_redis import open_event_store
    from pipeline.shutdown import Shutdown, on_signals
    from pipeline.subscribe import print_events

    shutdown = Shutdown()
    with explained_errors(), ExitStack() as stack:
        stack.enter_context(on_signals(shutdown, lambda message: None))
        config = load(config_file, settings, output, redis)
        if config.redis.url == "none":
            raise typer.BadParameter(
                "there is nothing to read without a Redis server", param_hint="--redis"
            )
        store = stack.enter_context(
            open_event_store(
                config.redis.url,
                config.output / "redis",
                stream=config.redis.stream,
                maxlen=config.redis.maxlen,
            )
        )
        shutdown.bind(lambda: None)  # it looks at `stop` twice a second
        print_events(
            store,
            start=start,
            stop=shutdown.stop,
            out=sys.stdout,
            err=sys.stderr,
            count=count,
            to_end_only=not follow,
            as_json=as_json,
        )


def load(
    config_file: Path | None, settings: list[str] | None, output: Path | None, redis: str | None
) -> Any:
    """The configuration with the command's own options put in place, logged without credentials."""
    from pipeline.config import load_config
    from pipeline.redaction import mask_url

    own = {"output": None if output is None else str(output), "redis.url": redis}
    options = [f"{key}={json.dumps(value)}" for key, value in own.items() if value is not None]
    config = load_config(DEFAULTS, config_file, [*(settings or ()), *options])
    log.info("configuration: %s", mask_url(config.model_dump_json()))
    return config


def new_run_id() -> str:
    """Sorts by time, differs between two runs of the same second."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


@contextmanager
def explained_errors() -> Iterator[None]:
    """An error the user can mend is one message and an exit code; anything else a traceback."""
    from pipeline.errors import ConfigError, PipelineError

    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except PipelineError as error:
        console.print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(EXIT_USAGE if isinstance(error, ConfigError) else EXIT_FAILED) from error


if __name__ == "__main__":
    app()
