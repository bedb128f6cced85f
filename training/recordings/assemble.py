"""Write planned recordings and the table of what is true in them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.outputs.annotated_video import Mp4Writer
from training.evaluation.sample_frames import frames_of
from training.recordings.pieces import Piece, RecordingPlan

QUALITY = 18  # crf of x264: its artefacts stay well below those of what it encodes again
COLUMNS = ("path", "label", "start", "end", "kind", "group", "source")
TABLE = "intervals.csv"


@dataclass(frozen=True, slots=True)
class PlacedPiece:
    """A piece in its recording."""

    piece: Piece
    start_s: float  # seconds of the recording
    end_s: float  # end of its last frame


def write_recording(
    plan: RecordingPlan, folder: Path, wrote: Callable[[int, int], object]
) -> list[PlacedPiece]:
    """Write one recording; frame by frame, so memory does not grow with its length.

    The file appears under its name when it is complete, with a table beside it.

    Args:
        plan: what it consists of.
        folder: of the recordings.
        wrote: called with how many of the frames are written.

    Raises:
        SourceError: if a piece cannot be read any more.
        PipelineError: if the file cannot be written.
    """
    unfinished = folder / f"{plan.name}.part.mp4"
    total = sum(piece.frames for piece in plan.pieces)
    placed: list[PlacedPiece] = []
    writer = Mp4Writer(unfinished, plan.wh, quality=QUALITY)
    done, start_s = 0, 0.0
    try:
        for piece in plan.pieces:
            first_s: float | None = None
            for frame in frames_of(piece.sample):
                first_s = frame.pts_s if first_s is None else first_s
                writer.write(frame.image, start_s + frame.pts_s - first_s)
                done += 1
                wrote(done, total)
            placed.append(PlacedPiece(piece, start_s, start_s + piece.seconds))
            start_s += piece.seconds + plan.seam_s
    except BaseException:
        writer.close()
        unfinished.unlink(missing_ok=True)
        raise
    writer.close()
    unfinished.replace(folder / f"{plan.name}.mp4")
    _write_rows(folder / f"{plan.name}.csv", [_row(plan, each) for each in placed])
    return placed


def is_written(plan: RecordingPlan, folder: Path) -> bool:
    """Return whether the recording and its table are there from an earlier run."""
    return all((folder / f"{plan.name}{suffix}").is_file() for suffix in (".mp4", ".csv"))


def write_table(plans: Sequence[RecordingPlan], folder: Path) -> Path:
    """Collect the tables of the finished recordings into one for `evaluate --events`."""
    rows: list[list[str]] = []
    for plan in plans:
        if is_written(plan, folder):
            with (folder / f"{plan.name}.csv").open(newline="", encoding="utf-8") as file:
                rows += list(csv.reader(file))[1:]
    _write_rows(folder / TABLE, rows)
    return folder / TABLE


def _row(plan: RecordingPlan, placed: PlacedPiece) -> list[str]:
    sample = placed.piece.sample
    return [
        f"{plan.name}.mp4",
        "|".join(sample.labels),
        f"{placed.start_s:.3f}",
        f"{placed.end_s:.3f}",
        sample.kind or "",
        sample.group or "",
        placed.piece.source,
    ]


def _write_rows(path: Path, rows: Sequence[Sequence[str]]) -> None:
    unfinished = path.with_suffix(".csv.part")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    unfinished.replace(path)
