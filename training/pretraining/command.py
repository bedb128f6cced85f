"""Pretrain a recognizer without labels, from the features of teachers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PRINT_EVERY = 25  # steps


def main(
    data: Annotated[list[Path], typer.Option(help="Videos, as `train` takes them.")],
    output: Annotated[Path, typer.Option(help="The weights, .safetensors.")],
    frame_teacher: Annotated[
        list[Path] | None, typer.Option(help="Network of images that OpenVINO reads.")
    ] = None,
    stream_teacher: Annotated[
        list[Path] | None, typer.Option(help="MoViNet stream network that OpenVINO reads.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="As for `train`.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE")
    ] = None,
    videos: Annotated[Path | None, typer.Option(help="Folder of relative paths.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Batches of loop.batch_size clips.")] = 2000,
    learning_rate: Annotated[float, typer.Option(min=0.0)] = 1.5e-3,
) -> None:
    """Pretrain a recognizer on videos whose labels are not used; Ctrl-C keeps what is learned.

    Example: python -m training.pretraining.command --data labels.csv --frame-teacher effnet.xml
    --set model.architecture=slowfast_compact --output runs/pretrained.safetensors
    """
    from pipeline.errors import PipelineError
    from training.pretraining import run

    try:
        run.pretrain(
            run.PretrainingRequest(
                data=tuple(data),
                output=output,
                frame_teachers=tuple(frame_teacher or ()),
                stream_teachers=tuple(stream_teacher or ()),
                config=config,
                settings=tuple(settings or ()),
                videos=videos,
                steps=steps,
                learning_rate=learning_rate,
                print_every=PRINT_EVERY,
            ),
            typer.echo,
        )
    except PipelineError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    typer.run(main)
