"""Train the compact SlowFast on a cache of person crops, from scratch, on a CPU."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from models.action_recognizer import ActionRecognizer
from models.architectures import slowfast_compact
from models.checkpoint import save_recognizer
from models.recognizer3d import Recognizer3D
from training.augmentation import Crops, augment
from training.clip_cache import CachedTrack, read_crops, read_index
from training.clip_choice import choose_frames, draw_tracks, end_range_s, time_grid
from training.evaluation import accuracy, evaluate, mean_class_accuracy
from training.labels import LABELS
from training.trainer import Plan, Trainer

MAX_SPEED_CHANGE = 0.15  # a clip is shown this much faster or slower at most
EVALUATE_EVERY = 10  # epochs


def make_batches(
    cache: Path, tracks: Sequence[CachedTrack], model: Recognizer3D, plan: Plan, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Balanced, augmented batches of one epoch; the same for the same seed and epoch."""
    rng = np.random.default_rng([plan.seed, epoch])
    spec, grid = model.input_spec, time_grid(model.input_spec)
    clips: list[Crops] = []
    labels: list[int] = []
    batches = 0
    for track in draw_tracks(tracks, rng):
        end_s = rng.uniform(*end_range_s(track, grid.span_s))
        speed = 1 + rng.uniform(-MAX_SPEED_CHANGE, MAX_SPEED_CHANGE)
        frames = choose_frames(track, end_s, grid, speed)
        if frames is None:
            continue
        clips.append(augment(read_crops(cache, track)[frames], spec.crop_size, rng))
        labels.append(spec.labels.index(track.label))
        if len(clips) == plan.batch_size:
            yield torch.from_numpy(np.stack(clips)), torch.tensor(labels)
            clips, labels, batches = [], [], batches + 1
            if batches == plan.steps_per_epoch:
                return


def train(
    trainer: Trainer, plan: Plan, cache: Path, tracks: Sequence[CachedTrack], output: Path
) -> None:
    """Run the epochs that are left, with a checkpoint and a line in the log after each."""
    learned = [track for track in tracks if track.split == "train"]
    held_out = [track for track in tracks if track.split == "test"]
    checkpoint, log = output / "last.pt", output / "log.csv"
    first = 0
    if checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        trainer.restore(state["trainer"])
        first = state["epoch"] + 1
        typer.echo(f"going on from epoch {first} of {checkpoint}")
    for epoch in range(first, plan.epochs):
        torch.manual_seed(plan.seed + epoch)
        started = time.monotonic()
        batches = make_batches(cache, learned, trainer.model, plan, epoch)
        rows = [trainer.step(crops, labels) for crops, labels in batches]
        means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        row: dict[str, object] = {"epoch": epoch} | {k: f"{v:.4f}" for k, v in means.items()}
        row["clips_per_s"] = f"{plan.clips_per_epoch / (time.monotonic() - started):.1f}"
        torch.save({"trainer": trainer.state(), "epoch": epoch}, checkpoint)
        last = epoch + 1 == plan.epochs
        if (epoch + 1) % EVALUATE_EVERY == 0 or last:
            result = evaluate(ActionRecognizer(trainer.averaged(), device="cpu"), cache, held_out)
            typer.echo(
                f"held out: clips {accuracy(result.clips):.3f}, "
                f"mean over classes {mean_class_accuracy(result.clips):.3f}"
            )
            (output / "evaluation.md").write_text(result.to_markdown())
        with log.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)
        typer.echo("  ".join(f"{name} {value}" for name, value in row.items()))


def main(
    cache: Annotated[Path, typer.Option(help="What training.prepare wrote.")] = Path("runs/cache"),
    output: Annotated[
        Path, typer.Option(help="Checkpoint, log and evaluation; an unfinished run goes on.")
    ] = Path("runs/compact"),
    weights: Annotated[Path, typer.Option(help="The finished model.")] = Path(
        "models/weights/slowfast_compact.safetensors"
    ),
    epochs: Annotated[int, typer.Option(help="Passes of CLIPS_PER_EPOCH clips.")] = 46,
    clips_per_epoch: Annotated[int, typer.Option(help="Drawn with equal classes.")] = 1024,
    batch_size: Annotated[int, typer.Option(help="Clips per step.")] = 8,
    learning_rate: Annotated[float, typer.Option(help="Highest of the schedule.")] = 1e-3,
    threads: Annotated[int, typer.Option(help="One is best where other work runs too.")] = 1,
    seed: Annotated[int, typer.Option(help="Of weights, draws and views.")] = 0,
) -> None:
    """Train, evaluate on what is held out, write the weights.

    Example: python -m training.train_compact --epochs 46
    """
    plan = Plan(epochs, clips_per_epoch, batch_size, learning_rate, seed)
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    model = slowfast_compact(len(LABELS))
    model.input_spec = replace(model.input_spec, labels=LABELS)
    tracks = read_index(cache)
    output.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(model, plan)
    train(trainer, plan, cache, tracks, output)
    save_recognizer(weights, trainer.averaged(), half=True)
    typer.echo(f"wrote {weights}")


if __name__ == "__main__":
    typer.run(main)
