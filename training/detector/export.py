"""Export a checkpoint of the compact detector: INT8 for OpenVINO, one fixed size."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np
    import openvino
    from numpy.typing import NDArray
    from torch import nn

CALIBRATION_IMAGES = 300  # nncf's own default
# Decoding boxes and rating people stays in float: 1 % of the work, and most of the loss.
KEPT_IN_FLOAT = ".*model.23/.*|.*model.23.dfl.*|.*model.23.cv[23].[0-2].2/.*"
# logit(0.4) - logit(0.3): a short training leaves its confidences low. At 0.3 it finds a
# third more people than at 0.4 on cameras it has never seen, and is still right nine times
# in ten; `detector.confidence` 0.4 is to mean that. The order of the boxes stays.
PERSON_SHIFT = 0.442
METADATA = """\
description: compact person detector of behaviour-stream, YOLO11n architecture, one class
license: AGPL-3.0
task: detect
stride: 32
batch: 1
imgsz: [{size}, {size}]
names: {{0: person}}
channels: 3
dynamic: false
args: {{half: false, nms: false, dynamic: false}}
"""


def main(
    checkpoint: Annotated[Path, typer.Option(help="Of training.detector.train.")] = Path(
        "runs/detector/last.pt"
    ),
    frames: Annotated[Path, typer.Option(help="Its cache of images, to calibrate with.")] = Path(
        "runs/detector/frames"
    ),
    output: Annotated[Path, typer.Option(help="Its name must end in _openvino_model.")] = Path(
        "models/weights/person_detector_openvino_model"
    ),
    size: Annotated[int, typer.Option(help="Sides of the input, pixels, multiple of 32.")] = 416,
    quantize: Annotated[bool, typer.Option(help="INT8; else float16 weights.")] = True,
    shift: Annotated[
        float, typer.Option(help="Added to the logit of a person: above 0 its confidences rise.")
    ] = PERSON_SHIFT,
) -> None:
    """Write the weights that `detector.weights: compact` takes.

    Example: python -m training.detector.export --checkpoint runs/detector/last.pt
    """
    import openvino

    student = load_student(checkpoint)
    shift_person(student, shift)
    model = to_openvino(student, size)
    if quantize:
        model = quantized(model, frames, size)
    output.mkdir(parents=True, exist_ok=True)
    file = output / "person_detector.xml"
    openvino.save_model(model, file, compress_to_fp16=True)
    (output / "metadata.yaml").write_text(METADATA.format(size=size))
    total = sum(path.stat().st_size for path in output.iterdir())
    typer.echo(f"wrote {output}: {total / 1e6:.1f} MB")


def load_student(checkpoint: Path) -> nn.Module:
    """Load the moving average of a run's weights: float32, batch norm fused, evaluation mode."""
    import torch

    from training.detector.student import new_student

    average = torch.load(checkpoint, map_location="cpu", weights_only=True)["average"]
    prefix = "module."
    state = {name.removeprefix(prefix): t for name, t in average.items() if prefix in name}
    model = new_student(seed=0)
    model.load_state_dict(state)
    fused: nn.Module = model.eval().fuse(verbose=False)  # type: ignore[operator]
    return fused


def shift_person(model: nn.Module, shift: float) -> None:
    """Add to the logit of a person at every location, in place."""
    import torch

    layers: Any = model.model
    with torch.no_grad():
        for branch in layers[-1].cv3:  # one per stride; its last convolution rates people
            branch[-1].bias += shift


def to_openvino(model: nn.Module, size: int) -> openvino.Model:
    """Convert for one image of one size, (1, 3, size, size) -> (1, 5, A) boxes and confidences."""
    import openvino
    import torch

    layers: Any = model.model
    head = layers[-1]
    head.export, head.format = True, "openvino"
    example = torch.zeros(1, 3, size, size)
    with torch.inference_mode(), warnings.catch_warnings():
        # Of torch.jit, deprecated, which OpenVINO needs, and of shapes fixed on purpose.
        warnings.simplefilter("ignore")
        model(example)  # sets up the grid of locations
        traced = torch.jit.trace(model, example, check_trace=False)  # type: ignore[no-untyped-call]
    return openvino.convert_model(traced, input=[1, 3, size, size], example_input=example)


def quantized(model: openvino.Model, frames: Path, size: int) -> openvino.Model:
    """Quantize weights and activations to INT8, with ranges from augmented training images."""
    import nncf

    images = nncf.Dataset(calibration_images(frames, size))
    ignored = nncf.IgnoredScope(patterns=[KEPT_IN_FLOAT], validate=False)
    # Mixed: activations behind a SiLU have a sign, the others none.
    preset = nncf.QuantizationPreset.MIXED
    small: openvino.Model = nncf.quantize(
        model, images, preset=preset, subset_size=CALIBRATION_IMAGES, ignored_scope=ignored
    )
    return small


def calibration_images(frames: Path, size: int) -> list[NDArray[np.float32]]:
    """Draw float32 (1, 3, size, size) RGB in 0..1, padded as the detector pads."""
    import cv2
    import numpy as np

    from training.detector.augmentation import FILLING
    from training.detector.frames import FrameCache

    cache, rng = FrameCache(frames), np.random.default_rng(0)
    images = []
    for _ in range(CALIBRATION_IMAGES):
        image = cache.draw(rng)
        zoom = size / max(image.shape[:2])
        wh = (round(image.shape[1] * zoom), round(image.shape[0] * zoom))
        canvas = np.full((size, size, 3), FILLING, np.uint8)
        top, left = (size - wh[1]) // 2, (size - wh[0]) // 2
        canvas[top : top + wh[1], left : left + wh[0]] = cv2.resize(image, wh)
        images.append((canvas[..., ::-1].transpose(2, 0, 1)[None] / 255).astype(np.float32))
    return images


if __name__ == "__main__":
    typer.run(main)
