"""Measure tracking quality against ground truth: MOTA, IDF1, HOTA and identity switches.

python -m benchmarks.tracking --gt GT.txt --tracks RESULT.txt
python -m benchmarks.tracking --gt GT.txt --video VIDEO [--set tracker.name=bytetrack]
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.components import build_components
from pipeline.config.schema import load_config
from pipeline.config.shipped_files import PROJECT
from training.labels.mot_files import read_mot
from training.metrics.tracking import evaluate_tracking, score_tracks


def main(
    gt: Annotated[Path, typer.Option(help="Ground truth in MOTChallenge format.", exists=True)],
    tracks: Annotated[
        Path | None, typer.Option(help="Tracks in MOTChallenge format to score.", exists=True)
    ] = None,
    video: Annotated[
        Path | None, typer.Option(help="Video to track and score.", exists=True)
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a config key, with --video."),
    ] = None,
) -> None:
    """Score existing tracks, or those that the pipeline produces on a video."""
    if (tracks is None) == (video is None):
        raise typer.BadParameter("give either --tracks or --video")
    if tracks is not None:
        score, title = score_tracks(read_mot(gt), read_mot(tracks)), tracks.name
    else:
        assert video is not None
        config = load_config(None, settings or ())
        components = build_components(config, PROJECT)
        score = evaluate_tracking(
            gt, video, components.detector, components.new_tracker, components.reattach
        )
        title = f"{video.name}: {config.detector.weights}, {config.tracker.name}"
    Console(width=120).print(score.to_table(title))


if __name__ == "__main__":
    typer.run(main)
