"""The command `train`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.command_errors import EXIT_INTERRUPTED, console, explained_errors
from pipeline.command_options import PROJECT, Settings

app = typer.Typer(rich_markup_mode="markdown")


@app.command(
    epilog="""
**Examples**

`run_pipeline.py train --data clips/`  a folder per class: clips/walk/a.mp4, clips/fight/b.mp4

`run_pipeline.py train --data labels.csv --output runs/mine --set loop.epochs=40`

`run_pipeline.py train --data labels.csv --sanity`  can it overfit ten clips?

`run_pipeline.py train --data labels.csv --from slowfast_r50.pth --set model.frozen_stages=3`

`run_pipeline.py train --data labels.csv --set model.architecture=slowfast_compact`  from scratch

`run_pipeline.py train --data train_list.txt --data val_list.txt --labels names.txt`  of mmaction2

`run_pipeline.py replay street.mp4 --set recognizer.weights=runs/mine/model.safetensors`  and use it
"""
)
def train(
    data: Annotated[
        list[Path],
        typer.Option(
            metavar="FOLDER|FILE",
            help="A folder per class; CSV or JSON (path, label, start, end, box or track, split, "
            "group); a list of mmaction2; AVA's CSV. May be given more than once.",
        ),
    ],
    output: Annotated[
        Path, typer.Option(help="Folder of the model, the report and the log.")
    ] = Path("runs/model"),
    start_from: Annotated[
        Path | None,
        typer.Option("--from", metavar="CHECKPOINT", help="Default: the recognizer in the box."),
    ] = None,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", help="YAML: what differs from configs/train/default.yaml."),
    ] = None,
    settings: Settings = None,
    labels: Annotated[
        Path | None, typer.Option(help="Names the numbers of mmaction2's lists and AVA's CSV.")
    ] = None,
    videos: Annotated[
        Path | None, typer.Option(help="Folder of relative paths; default: that of the labels.")
    ] = None,
    sanity: Annotated[
        bool, typer.Option("--sanity", help="Only try to overfit ten clips.")
    ] = False,
) -> None:
    """Train a recognizer on your own clips; ends with a model that `replay` and `live` take.

    People are found and cut out as the pipeline does it, once: a second run starts at once. A run
    that was interrupted goes on with the same command. OUTPUT gets model.safetensors, report.md,
    report.json, log.csv and config.yaml.
    """
    with explained_errors():
        from training.config import load_train_config

        own = [] if start_from is None else [f"model.weights={str(start_from)!r}"]
        config = load_train_config(config_file, [*(settings or ()), *own])
        # Takes seconds: a mistake in the configuration is told before.
        from training.train import TrainRequest
        from training.train import train as run

        command = shlex.join(["run_pipeline.py", *sys.argv[1:]])
        request = TrainRequest(tuple(data), output, labels, videos, sanity, command)
        done = run(request, config, PROJECT, console)
    if not done:
        console.print("stopped; the same command goes on", highlight=False)
        raise typer.Exit(EXIT_INTERRUPTED)
    if not sanity:
        typer.echo(f"{output}/model.safetensors is ready; what it is worth: {output}/report.md")
        typer.echo(
            f"run_pipeline.py replay VIDEO --set recognizer.weights={output}/model.safetensors"
        )
