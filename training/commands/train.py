"""The command `train`."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import Settings, at_home, console, explained_errors
from pipeline.config.shipped_files import PROJECT
from pipeline.errors import ConfigError
from training.register import DEFAULT_REGISTER, Register

app = typer.Typer(rich_markup_mode="markdown")

Data = Annotated[
    list[Path],
    typer.Option(
        callback=at_home,
        metavar="FOLDER|FILE",
        help="A folder per class; CSV or JSON (path, label, start, end, box or track, split, "
        "group); a video list of mmaction2; AVA's CSV. May be given more than once.",
    ),
]
Output = Annotated[
    Path, typer.Option(callback=at_home, help="Folder of the model, the report and the log.")
]
StartFrom = Annotated[
    Path | None,
    typer.Option(
        "--from", callback=at_home, metavar="CHECKPOINT", help="Default: the bundled recognizer."
    ),
]
TrainConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", callback=at_home, help="YAML: what differs from configs/train/default.yaml."
    ),
]
LabelNames = Annotated[
    Path | None,
    typer.Option(
        "--labels", callback=at_home, help="Names the numbers of mmaction2's lists and AVA's CSV."
    ),
]
RegisterFile = Annotated[
    Path,
    typer.Option("--register", callback=at_home, help="What the data was used for is kept here."),
]
VideoFolder = Annotated[
    Path | None,
    typer.Option(
        "--videos", callback=at_home, help="Folder of relative paths; default: that of the labels."
    ),
]


@app.command(
    epilog="""
**Examples**

`behaviour-stream train --data clips/`  a folder per class: clips/walk/a.mp4, clips/fight/b.mp4

`behaviour-stream train --data labels.csv --output runs/mine --set loop.epochs=40`

`behaviour-stream train --data labels.csv --sanity`  can it overfit ten clips?

`behaviour-stream train --data labels.csv --from slowfast_r50.pth --set model.frozen_stages=3`

`behaviour-stream train --data labels.csv --set model.architecture=slowfast_compact`  from scratch

`behaviour-stream train --data train_list.txt --data val_list.txt --labels names.txt`  of mmaction2

`behaviour-stream replay street.mp4 --set recognizer.weights=runs/mine/model.safetensors`  use it
"""
)
def train(
    data: Data,
    output: Output = Path("runs/model"),
    start_from: StartFrom = None,
    config_file: TrainConfigFile = None,
    settings: Settings = None,
    labels: LabelNames = None,
    videos: VideoFolder = None,
    register: RegisterFile = DEFAULT_REGISTER,
    sanity: Annotated[
        bool, typer.Option("--sanity", help="Only try to overfit ten clips.")
    ] = False,
) -> None:
    """Train a recognizer on your own clips; the result is a model that `replay` and `live` take.

    People are detected and cut out as in the pipeline, once: a second run uses the cache. The same
    command resumes a run that was interrupted. OUTPUT gets model.safetensors, report.md,
    report.json, log.csv and config.yaml.
    """
    with explained_errors("train"), _explained_interrupts():
        from training.config import load_train_config

        own = [] if start_from is None else [f"model.weights={json.dumps(str(start_from))}"]
        config = load_train_config(config_file, [*(settings or ()), *own])
        if start_from is not None and config.model.architecture is not None:
            raise ConfigError("--from and model.architecture: give one of them")
        # Takes seconds: mistakes in the configuration are reported before.
        from training.fitting.train import TrainRequest
        from training.fitting.train import train as run

        command = shlex.join(["run_pipeline.py", *sys.argv[1:]])
        request = TrainRequest(tuple(data), output, labels, videos, sanity, command, register)
        Register(register).check()
        done = run(request, config, PROJECT, console)
        if not done:
            raise KeyboardInterrupt
    if not sanity:
        typer.echo(f"{output}/model.safetensors is ready; how good it is: {output}/report.md")
        typer.echo(
            f"run_pipeline.py replay VIDEO --set recognizer.weights={output}/model.safetensors"
        )


@contextmanager
def _explained_interrupts() -> Iterator[None]:
    """Print how to resume: cutting and training keep what is done on disk."""
    try:
        yield
    except KeyboardInterrupt:
        console.print("stopped; the same command resumes", highlight=False)
        raise
