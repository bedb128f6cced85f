"""The commands about recognizer files: `convert` and `describe`.

What they do is in `recognizer_tools`, which imports PyTorch: `--help` must not wait for it, and the
base install does not have it.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import at_home, explained_errors

log = logging.getLogger("behaviour-stream")
app = typer.Typer(rich_markup_mode="markdown")


@app.command(
    epilog="""
**Examples**

`behaviour-stream convert slowfast_r50_4x16x1_256e.pth slowfast.safetensors --labels kinetics.txt`

`behaviour-stream convert SLOWFAST_8x8_R50.pkl slowfast.safetensors --half`  Caffe2, half the size

`behaviour-stream convert mine.pyth mine.safetensors --set alpha=4 --set multi_label=true`

`behaviour-stream replay street.mp4 --set recognizer.weights=slowfast.safetensors`  and use it
"""
)
def convert(
    source: Annotated[
        Path,
        typer.Argument(
            callback=at_home, help="Of mmaction2, PySlowFast, pytorchvideo or this program."
        ),
    ],
    target: Annotated[Path, typer.Argument(callback=at_home, metavar="OUT.safetensors")],
    labels: Annotated[
        Path | None,
        typer.Option(
            callback=at_home,
            help="One label per line, lines `N: label`, JSON, YAML; or kinetics400, ...",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Of the input, e.g. clip_len=64."),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store float16: half the size.")] = False,
    state_dict: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="Of a checkpoint with several weights, e.g. state_dict_ema."
        ),
    ] = None,
) -> None:
    """Turn a checkpoint of another library into one of this program.

    `replay` takes the checkpoint as it is, too; the converted file knows its labels and input,
    and holds nothing but numbers.
    """
    with explained_errors():
        from pipeline.commands import recognizer_tools

        model = recognizer_tools.convert(
            source,
            target,
            labels=labels,
            settings=settings or (),
            half=half,
            state_dict=state_dict,
        )
    spec = model.input_spec
    log.info(
        "%s: %s, %d classes, %d frames every %d at %g fps",
        target,
        spec.name,
        len(spec.labels),
        spec.clip_len,
        spec.frame_interval,
        spec.target_fps,
    )


@app.command(
    epilog="""
**Examples**

`behaviour-stream describe slowfast_r50_4x16 --size 256`

`behaviour-stream describe configs/recognizer/slowfast_r50_4x16_ucf101.yaml`

`behaviour-stream describe models/weights/slowfast_compact.safetensors --json | jq .multiply_adds`
"""
)
def describe(
    network: Annotated[
        str, typer.Argument(help="A checkpoint, a file of configs/recognizer, or a name.")
    ],
    size: Annotated[
        list[int] | None,
        typer.Option(min=32, help="Pixels of the clip's side; twice for height and width."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Print a network's parameters and multiply-adds per stage, and what it wants to see."""
    with explained_errors():
        from pipeline.commands import recognizer_tools

        height_width = None if not size else (size[0], size[-1])
        recognizer_tools.describe(network, height_width, as_json=as_json)
