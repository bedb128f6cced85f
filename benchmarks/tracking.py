"""Scores tracks against ground truth: MOTA, IDF1, identity switches, mostly tracked and lost.

python -m benchmarks.tracking --gt GT.txt --tracks RESULT.txt
python -m benchmarks.tracking --gt GT.txt --video VIDEO [--set tracker.name=bytetrack]
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment
from trackeval.metrics import CLEAR, HOTA, Identity

from benchmarks.tracked_video import track_video
from models.boxes import FloatArray, iou_matrix, ltwh_to_xyxy
from pipeline.config import load_config
from pipeline.parts import build_parts

PROJECT = Path(__file__).resolve().parents[1]
MATCH_IOU = 0.5  # MOTChallenge's threshold for "the same person"


@dataclass(frozen=True, slots=True, eq=False)
class LabelledBoxes:
    """The people of one frame, from ground truth or from a tracker."""

    ids: NDArray[np.int64]  # (N,)
    xyxy: FloatArray  # float32 (N, 4) pixels
    counts: NDArray[np.bool_]  # (N,) False: ground truth that is neither to be found nor wrong


@dataclass(frozen=True, slots=True)
class TrackingScore:
    """What a tracker did well; ratios in 0..1, except that MOTA can be negative."""

    mota: float
    idf1: float
    hota: float
    recall: float
    precision: float
    id_switches: int
    mostly_tracked: int  # people followed through more than 80 % of their time
    mostly_lost: int  # people followed through less than 20 % of it
    people: int  # in the ground truth
    tracks: int  # in the result


NOBODY = LabelledBoxes(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), np.zeros(0, bool))


def read_mot(path: Path) -> dict[int, LabelledBoxes]:
    """Read a MOTChallenge text file: frame from 1, id, left, top, width, height, confidence, ...

    A confidence of 0 marks ground truth to be ignored (MOTChallenge 2015).
    """
    rows = np.loadtxt(path, delimiter=",", ndmin=2)
    frames = rows[:, 0].astype(int)
    return {int(frame): _labelled(rows[frames == frame]) for frame in np.unique(frames)}


def score_tracks(
    truth: Mapping[int, LabelledBoxes], tracks: Mapping[int, LabelledBoxes]
) -> TrackingScore:
    """Compare a tracker's result with the ground truth of the same frames."""
    frames = range(1, max([*truth, *tracks], default=0) + 1)
    pairs = [_without_ignored(truth.get(n, NOBODY), tracks.get(n, NOBODY)) for n in frames]
    truth_ids, people = _numbered([real.ids for real, _ in pairs])
    track_ids, followed = _numbered([found.ids for _, found in pairs])
    # The input of trackeval's metrics, as its data sets build it (trackeval/datasets).
    sequence = {
        "gt_ids": truth_ids,
        "tracker_ids": track_ids,
        "similarity_scores": [iou_matrix(real.xyxy, found.xyxy) for real, found in pairs],
        "num_timesteps": len(pairs),
        "num_gt_ids": people,
        "num_tracker_ids": followed,
        "num_gt_dets": sum(map(len, truth_ids)),
        "num_tracker_dets": sum(map(len, track_ids)),
    }
    settings = {"PRINT_CONFIG": False, "THRESHOLD": MATCH_IOU}
    clear, identity = (metric(settings).eval_sequence(sequence) for metric in (CLEAR, Identity))
    return TrackingScore(
        mota=float(clear["MOTA"]),
        idf1=float(identity["IDF1"]),
        hota=float(np.mean(HOTA().eval_sequence(sequence)["HOTA"])),
        recall=float(clear["CLR_Re"]),
        precision=float(clear["CLR_Pr"]),
        id_switches=int(clear["IDSW"]),
        mostly_tracked=int(clear["MT"]),
        mostly_lost=int(clear["ML"]),
        people=people,
        tracks=followed,
    )


def _labelled(rows: NDArray[np.float64]) -> LabelledBoxes:
    xyxy = ltwh_to_xyxy(rows[:, 2:6].astype(np.float32))
    return LabelledBoxes(rows[:, 1].astype(np.int64), xyxy, rows[:, 6] != 0)


def _without_ignored(
    truth: LabelledBoxes, found: LabelledBoxes
) -> tuple[LabelledBoxes, LabelledBoxes]:
    """Drop ignored ground truth and what was found there, as MOTChallenge does since 2016."""
    iou = iou_matrix(truth.xyxy, found.xyxy)
    real, hit = linear_sum_assignment(-np.where(iou >= MATCH_IOU, iou, 0))
    on_ignored = (iou[real, hit] >= MATCH_IOU) & ~truth.counts[real]
    kept = np.ones(len(found.ids), bool)
    kept[hit[on_ignored]] = False
    return _rows(truth, truth.counts), _rows(found, kept)


def _rows(boxes: LabelledBoxes, mask: NDArray[np.bool_]) -> LabelledBoxes:
    return LabelledBoxes(boxes.ids[mask], boxes.xyxy[mask], boxes.counts[mask])


def _numbered(ids_by_frame: Iterable[NDArray[np.int64]]) -> tuple[list[NDArray[np.int64]], int]:
    """Ids as 0, 1, 2, ... in the order of their first appearance, and how many there are."""
    numbers: dict[int, int] = defaultdict(lambda: len(numbers))
    numbered = [np.array([numbers[int(i)] for i in ids], np.int64) for ids in ids_by_frame]
    return numbered, len(numbers)


def _table(score: TrackingScore, title: str) -> Table:
    table = Table("MOTA", "IDF1", "HOTA", "recall", "precision", title=title)
    for heading in ("id switches", "mostly tracked", "mostly lost", "tracks"):
        table.add_column(heading, justify="right")
    ratios = (score.mota, score.idf1, score.hota, score.recall, score.precision)
    table.add_row(
        *(f"{ratio:.3f}" for ratio in ratios),
        str(score.id_switches),
        f"{score.mostly_tracked} of {score.people}",
        str(score.mostly_lost),
        str(score.tracks),
    )
    return table


def main(
    gt: Annotated[Path, typer.Option(help="Ground truth in MOTChallenge format.", exists=True)],
    tracks: Annotated[
        Path | None, typer.Option(help="A result in MOTChallenge format.", exists=True)
    ] = None,
    video: Annotated[
        Path | None, typer.Option(help="Track this video and score that.", exists=True)
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One key, for --video.")
    ] = None,
) -> None:
    """Score tracks, or what our detector and tracker make of a video, against ground truth."""
    if (tracks is None) == (video is None):
        raise typer.BadParameter("give either --tracks or --video")
    if tracks is not None:
        found, title = read_mot(tracks), tracks.name
    else:
        assert video is not None
        config = load_config(PROJECT / "configs/default.yaml", None, settings or ())
        rows = track_video(video, build_parts(config, PROJECT))
        found = {n: _labelled(np.array(people)) for n, people in rows.items()}
        title = f"{video.name}: {config.detector.weights}, {config.tracker.name}"
    Console(width=120).print(_table(score_tracks(read_mot(gt), found), title))


if __name__ == "__main__":
    typer.run(main)
