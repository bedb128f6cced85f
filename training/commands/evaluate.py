"""The command `evaluate`: how good a model is, on clips and on long videos."""

from __future__ import annotations

import json
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.commands.options import (
    EXIT_FAILED,
    ConfigFile,
    Settings,
    console,
    explained_errors,
    load,
)
from pipeline.config.shipped_files import PROJECT
from pipeline.errors import ConfigError
from pipeline.redaction import mask_url
from training.commands.evaluate_request import EvaluateRequest

PIPED_WIDTH = 120  # columns of the tables where no terminal says how wide it is

app = typer.Typer(rich_markup_mode="markdown")


class SplitName(StrEnum):
    """Components of a data set."""

    train = "train"
    val = "val"
    test = "test"


@app.command(
    epilog="""
**Examples**

`behaviour-stream evaluate --data clips/labels.csv --split test --report report.html`

`behaviour-stream evaluate --data clips/ --model runs/mine/model.safetensors --json mine.json`

`behaviour-stream evaluate --data fights.csv --alias noFight=nothing --through-pipeline`

`behaviour-stream evaluate --events intervals.csv --target-false-alarms 1 --write-config rules.yaml`

`behaviour-stream replay street.mp4 --config rules.yaml`  and use the rules that it found

`behaviour-stream evaluate --tracking gt.txt --video street.mp4 --set tracker.name=bytetrack`

`behaviour-stream evaluate --detection people/ --set detector.weights=yolo11s.pt`
"""
)
def evaluate(
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled clips: a folder per class, CSV, JSON or a list, as for train."),
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(
            help="Long videos: a CSV with path, label, start, end and perhaps a box or track. A "
            "row with a background label only says that its video is to be watched."
        ),
    ] = None,
    tracking: Annotated[
        Path | None,
        typer.Option(
            metavar="GT.txt", help="MOTChallenge ground truth of --video: MOTA, IDF1, HOTA."
        ),
    ] = None,
    video: Annotated[Path | None, typer.Option(help="For --tracking.")] = None,
    detection: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="With images/ and labels/ as YOLO has them: average precision."
        ),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="The recognizer; default: recognizer.weights.")
    ] = None,
    split: Annotated[SplitName | None, typer.Option(help="Only this part; default: all.")] = None,
    through_pipeline: Annotated[
        bool,
        typer.Option(
            "--through-pipeline",
            help="Clips as the live pipeline cuts them; nobody found counts as background.",
        ),
    ] = False,
    alias: Annotated[
        list[str] | None,
        typer.Option(metavar="DATA=MODEL", help="What a label of the data is for the model."),
    ] = None,
    action: Annotated[
        list[str] | None,
        typer.Option(help="Judge the events of this one; default: those that are labelled."),
    ] = None,
    iou: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Temporal overlap that a right event needs.")
    ] = 0.5,
    target_false_alarms: Annotated[
        float | None,
        typer.Option(min=0.0, help="Search rules with so few per camera hour and action."),
    ] = None,
    write_config: Annotated[
        Path | None, typer.Option(metavar="FILE.yaml", help="Write these rules for --config.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Every number.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Tables, plots and pictures of what went wrong."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Names of the labels, where the data has only numbers.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the confidence intervals.")] = 0,
    cache: Annotated[Path, typer.Option(help="Folder for crops and scores; may be deleted.")] = (
        Path("runs/cache")
    ),
    config_file: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Say how good a model is: on labelled clips, and in practice on long labelled video.

    Also how well people are found (--detection) and followed (--tracking).

    Tables go to standard output. The exit code is 0, or 1 if something could not be read and was
    left out.
    """
    with explained_errors("evaluate"):
        request = EvaluateRequest(
            data=data,
            events=events,
            tracking=tracking,
            video=video,
            detection=detection,
            label_file=labels,
            through_pipeline=through_pipeline,
            split=None if split is None else split.value,
            aliases=_aliases(alias or []),
            actions=tuple(action or ()),
            iou=iou,
            false_alarms_per_hour=target_false_alarms,
            seed=seed,
            cache=cache,
            json_file=json_file,
            report=report,
            rules_file=write_config,
            command=shlex.join(["run_pipeline.py", *map(_masked, sys.argv[1:])]),
        )
        own = [] if model is None else [f"recognizer.weights={json.dumps(str(model))}"]
        config = load(config_file, [*(settings or ()), *own], None, "none")
        # Takes seconds: a mistake in the options is told before.
        from training.commands.evaluation_run import run_evaluation

        out = Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
        failed = run_evaluation(request, config, PROJECT, out, console)
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _masked(argument: str) -> str:
    """An argument, or the value in KEY=VALUE, without credentials."""
    key, equals, value = argument.partition("=")
    return f"{key}={mask_url(value)}" if equals else mask_url(argument)


def _aliases(texts: list[str]) -> dict[str, str]:
    aliases = {}
    for text in texts:
        label, equals, name = text.partition("=")
        if not (label and equals and name):
            raise ConfigError(f"--alias {text}: expected DATA=MODEL, e.g. noFight=nothing")
        aliases[label] = name
    return aliases
