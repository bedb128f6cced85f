#!/usr/bin/env python
"""The command line of behaviour-stream: arguments -> configuration -> app; nothing else.

Installed, it is the command `behaviour-stream`.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from enum import StrEnum
from typing import Annotated

import typer
from rich.logging import RichHandler

from pipeline.commands import bridge as bridge_commands
from pipeline.commands import config_schema as config_commands
from pipeline.commands import dead_letters as dead_letter_commands
from pipeline.commands import events as event_commands
from pipeline.commands import live as live_commands
from pipeline.commands import public_recognizers as public_recognizer_commands
from pipeline.commands import recognizers as recognizer_commands
from pipeline.commands import replay as replay_commands
from pipeline.commands import zones as zone_commands
from pipeline.commands.options import PrintableFormatter, console, print_version
from training.commands import backtest as backtest_command
from training.commands import evaluate as evaluate_command
from training.commands import evaluation_log as evaluation_log_commands
from training.commands import train as train_command

# Read when PyTorch is loaded, which happens later. Its idle threads must sleep: while they spin,
# other stages and, on a loaded machine, other programs do not get their cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# `evaluate` draws plots: the font list of matplotlib belongs to what we keep, not beside it.
os.environ.setdefault(
    "MPLCONFIGDIR",
    os.path.expanduser("~/.cache/behaviour-stream/matplotlib"),  # noqa: PTH111 - never raises
)

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
    handler.setFormatter(PrintableFormatter(layout, "%H:%M:%S"))
    logging.basicConfig(level=log_level.value.upper(), handlers=[handler])
    if isinstance(sys.stdout, io.TextIOWrapper):  # where the locale has no such letter: its escape
        sys.stdout.reconfigure(errors="backslashreplace")


app.add_typer(replay_commands.app)
app.add_typer(live_commands.app)
app.add_typer(event_commands.app)
app.add_typer(zone_commands.app)
app.add_typer(bridge_commands.app)
app.add_typer(dead_letter_commands.app, name="dead-letters")
app.add_typer(config_commands.app)
app.add_typer(recognizer_commands.app)
app.add_typer(public_recognizer_commands.app, name="recognizers")
app.add_typer(backtest_command.app)
app.add_typer(train_command.app)
app.add_typer(evaluate_command.app)
app.add_typer(evaluation_log_commands.app, name="evaluation")

if __name__ == "__main__":
    app()
