"""The command `evaluation log`: what was looked at when."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.commands.options import at_home, explained_errors
from pipeline.errors import ConfigError
from training.register import DEFAULT_REGISTER, Register, RegisterEntry

log = logging.getLogger(__name__)
app = typer.Typer(rich_markup_mode="markdown", help="What was evaluated when.")
PIPED_WIDTH = 200  # columns where there is no terminal: a row stays a line
HEADINGS = ("when", "what for", "data", "clips", "groups", "model", "numbers")


@app.callback()
def evaluation() -> None:
    """Show what was evaluated when."""


@app.command(
    "log",
    epilog="""
**Examples**

`behaviour-stream evaluation log`

`behaviour-stream evaluation log --data clips/labels.csv --markdown`  for a model card

`behaviour-stream evaluation log --model runs/model/model.safetensors --json`
""",
)
def list_entries(
    register: Annotated[
        Path, typer.Option(callback=at_home, help="The register of `train` and `evaluate`.")
    ] = DEFAULT_REGISTER,
    data: Annotated[
        Path | None,
        typer.Option(callback=at_home, help="Only entries with some of its videos, by content."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(callback=at_home, help="Only entries of these weights.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document, with the videos' fingerprints.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="A table for a model card.")] = False,
) -> None:
    """List which data was looked at when, what for, with which model, and what came out."""
    with explained_errors("evaluation log"):
        if not register.is_file():
            raise ConfigError(f"--register {register}: no such file; `evaluate` makes it")
        entries = _chosen(Register(register).read(), data, model)
    if as_json:
        print(json.dumps([asdict(entry) for entry in entries], indent=1, ensure_ascii=False))
    elif markdown:
        print(to_markdown(entries))
    else:
        table = Table(*HEADINGS, title=escape(str(register)))
        for entry in entries:
            table.add_row(*map(escape, _cells(entry)))
        out = Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
        out.print(table)


def _chosen(
    entries: Sequence[RegisterEntry], data: Path | None, model: Path | None
) -> list[RegisterEntry]:
    found = list(entries)
    if data is not None:
        from training.labels.fingerprints import fingerprints_of
        from training.labels.label_files import read_samples

        videos = fingerprints_of(read_samples(data))
        found = [entry for entry in found if not videos.isdisjoint(entry.videos)]
    if model is not None:
        from models.checkpoints.checkpoint import CheckpointError
        from models.checkpoints.weight_files import content_identity

        try:
            weights = content_identity(model)
        except CheckpointError as error:
            raise ConfigError(f"--model: {error}") from error
        found = [entry for entry in found if entry.weights == weights]
    return found


def to_markdown(entries: Sequence[RegisterEntry]) -> str:
    """Format entries as a table in Markdown."""
    rows = [[cell.replace("|", "\\|") for cell in _cells(entry)] for entry in entries]
    lines = [f"| {' | '.join(row)} |" for row in (list(HEADINGS), *rows)]
    return "\n".join([lines[0], "|---" * len(HEADINGS) + "|", *lines[1:]])


def _cells(entry: RegisterEntry) -> list[str]:
    split = "" if entry.split is None else f" ({entry.split})"
    numbers = ", ".join(f"{name} {value:g}" for name, value in entry.numbers.items())
    counts = str(entry.clips), str(entry.groups)
    at = entry.at.replace("T", " ").removesuffix("Z")
    return [at, entry.purpose, f"{entry.data}{split}", *counts, entry.model, numbers]
