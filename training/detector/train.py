"""Train the compact person detector from random weights, distilled from a larger detector."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from training.detector.loop import DetectorTrainer

FOR_LOG, FOR_CHECKPOINT = 50, 200  # steps


def main(
    data: Annotated[Path, typer.Option(help="Folder with fight_surv, coco_train128, ...")] = Path(
        "../shared/data"
    ),
    teacher: Annotated[
        Path | None, typer.Option(help="OpenVINO folder of a YOLO11; default: in DATA/weights.")
    ] = None,
    output: Annotated[
        Path, typer.Option(help="Cache, log and checkpoint; an unfinished run is resumed.")
    ] = Path("runs/detector"),
    steps: Annotated[int, typer.Option(help="Optimisation steps.")] = 5800,
    threads: Annotated[int, typer.Option(help="One is best where other work runs too.")] = 1,
    seed: Annotated[int, typer.Option(help="Of weights and images.")] = 0,
) -> None:
    """Train the compact person detector; Ctrl-C saves it and the same command resumes.

    Example: python -m training.detector.train --data ../shared/data
    """
    import cv2
    import torch

    from training.detector.frames import FrameCache, list_sources
    from training.detector.loop import DetectorPlan, DetectorTrainer

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    cache = output / "frames"
    if not (cache / "shares.txt").is_file():
        sources = list_sources(data)
        for number, images in enumerate(FrameCache.fill(cache, sources), 1):
            if number % 20 == 0 or number == len(sources):
                typer.echo(f"{number} of {len(sources)} files read, {images} images")
    teacher = teacher or data / "weights/yolo11n_int8_openvino_model"
    trainer = DetectorTrainer(DetectorPlan(steps, seed=seed), teacher, FrameCache(cache).draw)
    checkpoint = output / "last.pt"
    if checkpoint.is_file():
        trainer.restore(torch.load(checkpoint, weights_only=True))
        typer.echo(f"resuming from step {trainer.step} of {checkpoint}")
    _train(trainer, checkpoint, output / "log.csv")
    typer.echo(f"trained; now: python -m training.detector.export --checkpoint {checkpoint}")


def _train(trainer: DetectorTrainer, checkpoint: Path, log: Path) -> None:
    rows: list[dict[str, float]] = []
    started = time.monotonic()
    try:
        for losses in trainer.run():
            rows.append(losses)
            if trainer.step % FOR_LOG == 0 or trainer.step == trainer.plan.steps:
                _report(trainer, rows, time.monotonic() - started, log)
                rows, started = [], time.monotonic()
            if trainer.step % FOR_CHECKPOINT == 0:
                _save(trainer, checkpoint)
    finally:
        _save(trainer, checkpoint)


def _save(trainer: DetectorTrainer, checkpoint: Path) -> None:
    import torch

    half_written = checkpoint.with_suffix(".part")
    torch.save(trainer.state(), half_written)
    half_written.replace(checkpoint)


def _report(
    trainer: DetectorTrainer, rows: list[dict[str, float]], seconds: float, log: Path
) -> None:
    """Print one line and log another: means since the last one."""
    means = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
    line: dict[str, object] = {"step": trainer.step} | {k: f"{v:.4f}" for k, v in means.items()}
    line["images_per_s"] = f"{len(rows) * trainer.plan.batch_size / seconds:.1f}"
    with log.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(line))
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow(line)
    left_s = (trainer.plan.steps - trainer.step) * seconds / len(rows)
    text = "  ".join(f"{name} {value}" for name, value in line.items())
    typer.echo(f"{text}  {left_s / 60:.0f} min left")


if __name__ == "__main__":
    typer.run(main)
