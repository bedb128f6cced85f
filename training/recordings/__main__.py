"""The command `python -m training.recordings`: long recordings out of labelled clips."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.commands.options import ConfigFile, Settings, explained_errors, load
from pipeline.components import load_model
from pipeline.config.schema import PipelineConfig
from pipeline.config.shipped_files import PROJECT
from training.console import ProgressPrinter
from training.evaluation.everyday import read_everyday
from training.labels.label_files import read_samples
from training.labels.samples import DataError, Sample
from training.recordings.assemble import is_written, write_recording, write_table
from training.recordings.pieces import RecordingPlan, UnusedSample, measure_pieces, plan_recordings

SHOWN = 10  # unused samples that are named one by one

app = typer.Typer(rich_markup_mode="markdown", add_completion=False)


@app.command()
def main(
    output: Annotated[Path, typer.Argument(help="Folder of the recordings.")],
    data: Annotated[
        list[Path] | None, typer.Option(help="Labelled clips, as for evaluate; may be repeated.")
    ] = None,
    everyday: Annotated[
        list[Path] | None, typer.Option(help="Everyday video, as for evaluate; may be repeated.")
    ] = None,
    shortest_s: Annotated[
        float | None,
        typer.Option(help="Shortest piece, seconds; default: a clip and the minimum duration."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the order of the pieces.")] = 0,
    config_file: ConfigFile = None,
    settings: Settings = None,
) -> None:
    """Put long recordings together, one per frame size, for `evaluate --events`.

    Between two pieces the camera sees nothing for longer than a clip may have a gap, so no track,
    group or clip spans a seam. Finished recordings are kept; the same command continues.

    Example: `python -m training.recordings long/ --data fights/labels.csv --everyday quiet/`
    """
    with explained_errors("evaluate"):
        config = load(config_file, settings, None, "none")
        samples = _samples(data or [], everyday or [])
        least_s = _shortest_s(config) if shortest_s is None else shortest_s
        _run(output, samples, least_s, config.clip.max_gap_s, seed)


def _samples(data: list[Path], everyday: list[Path]) -> list[Sample]:
    if not data and not everyday:
        raise DataError("nothing to put together: give --data, --everyday or both")
    clips = [sample for source in data for sample in read_samples(source)]
    return clips + [sample for source in everyday for sample in read_everyday(source)]


def _shortest_s(config: PipelineConfig) -> float:
    """Return the seconds that a person's clip and the start of an action take."""
    spec = load_model(config, PROJECT).input_spec
    return (spec.clip_len - 1) * spec.interval_s + config.decision.min_duration_s


def _run(output: Path, samples: list[Sample], least_s: float, max_gap_s: float, seed: int) -> None:
    console = Console(stderr=True)
    output.mkdir(parents=True, exist_ok=True)
    try:
        with ProgressPrinter(console) as progress:
            pieces, unused = measure_pieces(
                samples, least_s, lambda done, total: progress.show("clips measured", done, total)
            )
            plans = plan_recordings(pieces, max_gap_s, seed)
            for plan in plans:
                if not is_written(plan, output):
                    write_recording(plan, output, _shown(plan, progress))
                write_table(plans, output)
    except KeyboardInterrupt:
        console.print(f"stopped; finished recordings are kept in {output}", markup=False)
        raise
    _report(plans, unused, least_s, output)
    if not plans:
        raise DataError(f"none of the {len(samples)} samples lasts {least_s:g} s or more")


def _shown(plan: RecordingPlan, progress: ProgressPrinter) -> Callable[[int, int], None]:
    return lambda done, total: progress.show(f"frames of {plan.name}.mp4", done, total)


def _report(
    plans: list[RecordingPlan], unused: list[UnusedSample], least_s: float, output: Path
) -> None:
    for plan in plans:
        seconds = sum(piece.seconds for piece in plan.pieces)
        typer.echo(
            f"{plan.name}.mp4: {len(plan.pieces)} pieces, {seconds / 60:.1f} minutes, "
            f"seams of {plan.seam_s:g} s"
        )
    for each in unused[:SHOWN]:
        typer.echo(f"not used: {each.sample.path}: {each.reason}")
    if len(unused) > SHOWN:
        typer.echo(f"not used: {len(unused) - SHOWN} more")
    if unused:
        typer.echo(f"{len(unused)} samples are in no recording (shortest piece {least_s:g} s)")
    if plans:
        typer.echo(f"now: behaviour-stream evaluate --events {output / 'intervals.csv'} --iou 0.1")


if __name__ == "__main__":
    sys.exit(app())
