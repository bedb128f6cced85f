#!/usr/bin/env python
"""The command line of behaviour-stream: arguments -> configuration -> app; nothing else.

Installed, it is the command `behaviour-stream`.
"""

from __future__ import annotations

import logging
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.logging import RichHandler

from pipeline.commands import bridge as bridge_commands
from pipeline.commands import config_schema as config_commands
from pipeline.commands import events as event_commands
from pipeline.commands import live as live_commands
from pipeline.commands import recognizers as recognizer_commands
from pipeline.commands.options import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    ConfigFile,
    OutputDir,
    RedisUrl,
    Settings,
    console,
    explained_errors,
    load,
    new_run_id,
    print_version,
)
from pipeline.config.shipped_files import PROJECT
from training.commands import evaluate as evaluate_command
from training.commands import train as train_command

# Read when PyTorch is loaded, which happens later. Its idle threads must sleep: while they spin,
# other stages and, on a loaded machine, other programs do not get their cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

log = logging.getLogger("behaviour-stream")
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Who does what, as it happens: cameras in, action events on Redis streams out.",
    epilog="""
**Examples**

`behaviour-stream live rtsp://10.0.0.8/main`  watch a camera

`behaviour-stream replay street.mp4 --annotated drawn.mp4`  recognize the actions of a video

`behaviour-stream subscribe --from 0`  print them, and what comes after them

`behaviour-stream replay --help`  every option, with more examples
""",
)


class LogLevel(StrEnum):
    """Least severe messages that are logged on standard error."""

    debug = "debug"
    info = "info"
    warning = "warning"


@app.callback()
def main(
    log_level: Annotated[LogLevel, typer.Option(help="What is logged on standard error.")] = (
        LogLevel.info
    ),
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
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

`behaviour-stream replay street.mp4`

`behaviour-stream replay recordings/ --annotated drawn/ --tracks tracks/`

`behaviour-stream replay 'day1/*.mp4' --redis redis://localhost:6379/0`

`behaviour-stream replay a.mp4 --set detector.weights=yolo11s.pt --redis none --events a.jsonl`
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
    from pipeline.runtime.shutdown import Shutdown, on_signals

    shutdown = Shutdown()
    with explained_errors(), on_signals(shutdown, console.print):
        config = load(config_file, settings, output, redis)
        # Takes seconds: a mistake in the configuration is told before.
        from pipeline.commands.replay import ReplayRequest, run_replay

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


app.add_typer(live_commands.app)
app.add_typer(event_commands.app)
app.add_typer(bridge_commands.app)
app.add_typer(config_commands.app)
app.add_typer(recognizer_commands.app)
app.add_typer(train_command.app)
app.add_typer(evaluate_command.app)

if __name__ == "__main__":
    app()
