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
    at_home,
    console,
    explained_errors,
    load,
)
from pipeline.config.schema import PipelineConfig
from pipeline.config.shipped_files import PROJECT
from pipeline.errors import ConfigError
from pipeline.paths import expand_user
from pipeline.redaction import mask_url
from training.commands.evaluate_request import EvaluateRequest, FoldsRequest
from training.config import load_train_config
from training.evaluation.view_options import WholeFrameViews
from training.register import DEFAULT_REGISTER

PIPED_WIDTH = 120  # columns of the tables where there is no terminal

app = typer.Typer(rich_markup_mode="markdown")


class SplitName(StrEnum):
    """Splits of a data set."""

    train = "train"
    val = "val"
    test = "test"


# What is evaluated: at least one of the first five.
ClipLabels = Annotated[
    Path | None,
    typer.Option(
        callback=at_home,
        help="Labelled clips: a folder per class, CSV, JSON or a list, as for train.",
    ),
]
EventLabels = Annotated[
    Path | None,
    typer.Option(
        callback=at_home,
        help="Long videos: a CSV with path, label, start, end and perhaps a box or track. A "
        "row with a background label only adds its video to the camera hours.",
    ),
]
Observations = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE|FOLDER|GLOB",
        help="What observations.keep kept, instead of the videos of --events; no model is loaded.",
    ),
]
EverydayVideo = Annotated[
    Path | None,
    typer.Option(
        callback=at_home,
        metavar="FOLDER|CSV",
        help="Video without any action to be found: false alarms per hour. A folder below it, or "
        "a column kind, names what is seen: hug, sport, crowd.",
    ),
]
TrackingTruth = Annotated[
    Path | None,
    typer.Option(
        callback=at_home,
        metavar="GT.txt",
        help="MOTChallenge ground truth of --video: MOTA, IDF1, HOTA.",
    ),
]
TrackedVideo = Annotated[Path | None, typer.Option(callback=at_home, help="For --tracking.")]
DetectionTruth = Annotated[
    Path | None,
    typer.Option(
        callback=at_home,
        metavar="FOLDER",
        help="With images/ and labels/ as YOLO has them: average precision.",
    ),
]
Model = Annotated[
    Path | None, typer.Option(callback=at_home, help="The recognizer; default: recognizer.weights.")
]
# How it is evaluated.
OneSplit = Annotated[SplitName | None, typer.Option(help="Only this split; default: all.")]
ThroughPipeline = Annotated[
    bool,
    typer.Option(
        "--through-pipeline",
        help="Clips as the live pipeline cuts them; no person found counts as background.",
    ),
]
WholeFrame = Annotated[
    bool,
    typer.Option(
        "--whole-frame",
        help="Whole frames instead of people, as in papers: --views clips over the video, --crops "
        "of each, averaged.",
    ),
]
Views = Annotated[int, typer.Option(min=1, help="For --whole-frame: clips over the video.")]
Crops = Annotated[int, typer.Option(min=1, max=3, help="For --whole-frame: 1, or 3 of each clip.")]
CropSize = Annotated[
    int, typer.Option(min=16, help="For --whole-frame: side of a crop and shorter side, pixels.")
]
Aliases = Annotated[
    list[str] | None,
    typer.Option(metavar="DATA=MODEL", help="The model's label for a label of the data."),
]
Actions = Annotated[
    list[str] | None,
    typer.Option(help="Evaluate the events of this action; default: those that are labelled."),
]
MinIou = Annotated[
    float,
    typer.Option(min=0.01, max=1.0, help="Temporal overlap that a correct event needs."),
]
TargetFalseAlarms = Annotated[
    float | None,
    typer.Option(min=0.0, help="Search rules with at most so many per camera hour and action."),
]
LabelNames = Annotated[
    Path | None,
    typer.Option(callback=at_home, help="Names of the labels, where the data has only numbers."),
]
Seed = Annotated[int, typer.Option(help="Of the confidence intervals.")]
Cache = Annotated[
    Path, typer.Option(callback=at_home, help="Folder for crops and scores; may be deleted.")
]
# Cross-validation.
Folds = Annotated[
    int | None,
    typer.Option(
        min=2,
        metavar="N",
        help="Train N networks and judge each by groups that it has not seen; resumed.",
    ),
]
TrainingFile = Annotated[
    Path | None,
    typer.Option(callback=at_home, metavar="FILE.yaml", help="--folds: as train --config."),
]
TrainingSettings = Annotated[
    list[str] | None,
    typer.Option("--train-set", metavar="KEY=VALUE", help="--folds: as train --set."),
]
StartFrom = Annotated[
    Path | None,
    typer.Option(
        "--from",
        callback=at_home,
        metavar="CHECKPOINT",
        help="--folds: weights that every fold starts from, as train --from.",
    ),
]
FurtherData = Annotated[
    list[Path] | None,
    typer.Option(
        "--train-data", callback=at_home, help="--folds: further labels that every fold trains on."
    ),
]
FoldsFolder = Annotated[
    Path, typer.Option("--output", callback=at_home, help="--folds: folder of their models.")
]
# What is chosen.
Calibrate = Annotated[
    bool,
    typer.Option("--calibrate", help="Fit temperatures so that scores mean frequencies; by folds."),
]
FalseAlarmShare = Annotated[
    float,
    typer.Option(
        "--false-alarm-rate",
        min=0.0,
        max=0.99,
        help="Share of the clips without an action that may reach its threshold.",
    ),
]
WeightsFile = Annotated[
    Path | None,
    typer.Option(
        callback=at_home,
        metavar="OUT.safetensors",
        help="Write --model with these temperatures and thresholds as its defaults.",
    ),
]
RegisterFile = Annotated[
    Path,
    typer.Option(
        callback=at_home, help="What was looked at when is kept here; see `evaluation log`."
    ),
]
# What is written.
RulesFile = Annotated[
    Path | None,
    typer.Option(callback=at_home, metavar="FILE.yaml", help="Write these rules for --config."),
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", callback=at_home, metavar="FILE", help="Every number.")
]
HtmlReport = Annotated[
    Path | None,
    typer.Option(
        callback=at_home, metavar="FILE.html", help="Tables, plots and images of the mistakes."
    ),
]


@app.command(
    epilog="""
**Examples**

`behaviour-stream evaluate --data clips/labels.csv --split test --report report.html`

`behaviour-stream evaluate --data clips/ --model runs/mine/model.safetensors --json mine.json`

`behaviour-stream evaluate --data kinetics400_val_list_videos.txt --whole-frame --model r50.pth`

`behaviour-stream evaluate --data fights.csv --alias noFight=nothing --through-pipeline`

`behaviour-stream evaluate --events intervals.csv --target-false-alarms 1 --write-config rules.yaml`

`behaviour-stream evaluate --events intervals.csv --observations kept/ --target-false-alarms 1`

`behaviour-stream replay street.mp4 --config rules.yaml`  and use the rules that it found

`behaviour-stream evaluate --everyday quiet/ --action fight --action punch`

`behaviour-stream evaluate --data labels.csv --folds 5 --from pretrained.safetensors`

`behaviour-stream evaluate --data val.csv --model a.safetensors --write-weights b.safetensors`

`behaviour-stream evaluate --tracking gt.txt --video street.mp4 --set tracker.name=bytetrack`

`behaviour-stream evaluate --detection people/ --set detector.weights=yolo11s.pt`
"""
)
def evaluate(
    data: ClipLabels = None,
    events: EventLabels = None,
    observations: Observations = None,
    everyday: EverydayVideo = None,
    tracking: TrackingTruth = None,
    video: TrackedVideo = None,
    detection: DetectionTruth = None,
    model: Model = None,
    split: OneSplit = None,
    through_pipeline: ThroughPipeline = False,
    whole_frame: WholeFrame = False,
    views: Views = 10,
    crops: Crops = 3,
    crop_size: CropSize = 256,
    alias: Aliases = None,
    action: Actions = None,
    iou: MinIou = 0.5,
    target_false_alarms: TargetFalseAlarms = None,
    write_config: RulesFile = None,
    json_file: JsonFile = None,
    report: HtmlReport = None,
    labels: LabelNames = None,
    folds: Folds = None,
    train_config: TrainingFile = None,
    train_set: TrainingSettings = None,
    start_from: StartFrom = None,
    train_data: FurtherData = None,
    output: FoldsFolder = Path("runs/folds"),
    calibrate: Calibrate = False,
    false_alarm_rate: FalseAlarmShare = 0.05,
    write_weights: WeightsFile = None,
    register: RegisterFile = DEFAULT_REGISTER,
    seed: Seed = 0,
    cache: Cache = Path("runs/cache"),
    config_file: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Measure how good a model is: on labelled clips, and in practice on long labelled video.

    Also how well people are detected (--detection) and tracked (--tracking).

    Tables go to standard output. The exit code is 0, or 1 if something could not be read and was
    skipped. With --folds no model has to be there: training is part of what is measured.
    """
    with explained_errors("evaluate"):
        request = EvaluateRequest(
            data=data,
            events=events,
            everyday=everyday,
            tracking=tracking,
            video=video,
            detection=detection,
            label_file=labels,
            through_pipeline=through_pipeline,
            whole_frame=_views(views, crops, crop_size) if whole_frame else None,
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
            register=register,
            calibrate=calibrate,
            false_alarm_share=false_alarm_rate,
            weights_file=write_weights,
            observations=tuple(expand_user(one) for one in observations or ()),
            folds=_folds(
                folds, train_config, train_set or [], start_from, tuple(train_data or ()), output
            ),
        )
        own = [] if model is None else [f"recognizer.weights={json.dumps(str(model))}"]
        _run(request, load(config_file, [*(settings or ()), *own], None, "none"))


def _run(request: EvaluateRequest, config: PipelineConfig) -> None:
    """Evaluate; what takes seconds to load is loaded now, when the options are known to be good."""
    from training.commands.evaluation_run import run_evaluation

    out = Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
    if run_evaluation(request, config, PROJECT, out, console):
        raise typer.Exit(EXIT_FAILED)


def _views(clips: int, crops: int, side: int) -> WholeFrameViews:
    try:
        return WholeFrameViews(clips, crops, side)
    except ValueError as error:
        raise ConfigError(f"--{error}") from error


def _folds(
    folds: int | None,
    config_file: Path | None,
    settings: list[str],
    start_from: Path | None,
    also: tuple[Path, ...],
    output: Path,
) -> FoldsRequest | None:
    """Collect what a cross-validation needs; None without one.

    Raises:
        ConfigError: if its options are given without --folds, or do not go together.
    """
    if folds is None:
        if config_file or settings or start_from or also:
            raise ConfigError("--train-config, --train-set, --train-data and --from: give --folds")
        return None
    own = [] if start_from is None else [f"model.weights={json.dumps(str(start_from))}"]
    training = load_train_config(config_file, [*settings, *own])
    if start_from is not None and training.model.architecture is not None:
        raise ConfigError("--from and model.architecture: give one of them")
    return FoldsRequest(folds, training, also, output)


def _masked(argument: str) -> str:
    """Mask credentials in an argument, or in the value of KEY=VALUE."""
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
