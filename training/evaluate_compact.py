"""Say how good a weight file is on the held-out tracks of a cache."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.action_recognizer import ActionRecognizer
from models.checkpoint import load_recognizer
from training.clip_cache import read_index
from training.evaluation import evaluate


def main(
    weights: Annotated[Path, typer.Option(help="The model.")] = Path(
        "models/weights/slowfast_compact.safetensors"
    ),
    cache: Annotated[Path, typer.Option(help="What training.prepare wrote.")] = Path("runs/cache"),
) -> None:
    """Print accuracies and confusion matrices in Markdown, of all data and by data set.

    Example: python -m training.evaluate_compact
    """
    recognizer = ActionRecognizer(load_recognizer(weights), device="cpu")
    held_out = [track for track in read_index(cache) if track.split == "test"]
    typer.echo(evaluate(recognizer, cache, held_out).to_markdown())
    for dataset in sorted({track.dataset for track in held_out}):
        mine = [track for track in held_out if track.dataset == dataset]
        typer.echo(f"\n## {dataset}\n\n{evaluate(recognizer, cache, mine).to_markdown()}")


if __name__ == "__main__":
    typer.run(main)
