"""Make a trained recognizer predict a class more or less readily."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

from models.checkpoints.checkpoint import load_recognizer, save_recognizer
from models.slowfast.recognizer3d import Recognizer3D


def shift_bias(model: Recognizer3D, shifts: dict[str, float]) -> None:
    """Add to the logits of some classes, in place.

    That is what another frequency of the class in the training data would do (Saerens et al. 2002,
    "Adjusting the outputs of a classifier to new a priori probabilities"): the order of the clips
    by score stays, where the border between two classes lies does not.

    Args:
        model: with a classifier that has a bias.
        shifts: what is added to the logit, by label; log(2) doubles the odds.

    Raises:
        ValueError: naming a label that the model does not have.
    """
    labels = model.input_spec.labels
    for label, shift in shifts.items():
        if label not in labels:
            raise ValueError(f"no label {label!r}; the model's labels are {', '.join(labels)}")
        with torch.no_grad():
            model.cls_head.fc_cls.bias[labels.index(label)] += shift


def parse_shift(text: str) -> tuple[str, float]:
    """Read LABEL=NUMBER.

    Raises:
        typer.BadParameter: if it is something else.
    """
    label, _, number = text.rpartition("=")
    try:
        return label, float(number)
    except ValueError:
        raise typer.BadParameter(f"expected LABEL=NUMBER, e.g. fight=0.5, got {text!r}") from None


def main(
    weights: Annotated[Path, typer.Argument(help="The model of a training run.")],
    output: Annotated[Path, typer.Argument(help="Where the changed model goes.")],
    shift: Annotated[
        list[str], typer.Option(metavar="LABEL=NUMBER", help="Added to the logit of a class.")
    ],
) -> None:
    """Make a trained recognizer predict a class more or less readily.

    Example: python -m training.recipe.class_bias a.safetensors b.safetensors --shift fight=0.5
    """
    model = load_recognizer(weights)
    try:
        shift_bias(model, dict(parse_shift(text) for text in shift))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    save_recognizer(output, model, half=True)
    typer.echo(f"wrote {output}")


if __name__ == "__main__":
    typer.run(main)
