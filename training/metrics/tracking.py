"""Scores tracks against ground truth: MOTA, IDF1, HOTA as MOTChallenge computes them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy.optimize import linear_sum_assignment
from trackeval.metrics import CLEAR, HOTA, Identity

from models.boxes import iou_matrix
from pipeline.sources.file_decoder import VideoReader
from pipeline.stages.detection import PersonDetector, detect_people
from pipeline.stages.reattachment import ReattachSpec, reattach_tracks
from pipeline.stages.tracking import Tracker, track_people
from pipeline.types import Frame, TrackedFrame
from training.labels.mot_files import NO_PEOPLE, LabelledBoxes, by_frame, read_mot

MATCH_IOU = 0.5  # MOTChallenge's threshold for "the same person"


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

    def to_table(self, title: str) -> Table:
        """Format the score as a table of one row."""
        table = Table("MOTA", "IDF1", "HOTA", "recall", "precision", title=title)
        for heading in ("id switches", "mostly tracked", "mostly lost", "tracks"):
            table.add_column(heading, justify="right")
        ratios = (self.mota, self.idf1, self.hota, self.recall, self.precision)
        table.add_row(
            *(f"{ratio:.3f}" for ratio in ratios),
            str(self.id_switches),
            f"{self.mostly_tracked} of {self.people}",
            str(self.mostly_lost),
            str(self.tracks),
        )
        return table

    def to_json(self) -> dict[str, float | int]:
        """Return the numbers by name, for `json.dump`."""
        return asdict(self)


def evaluate_tracking(
    truth: Path,
    video: Path,
    detector: PersonDetector,
    new_tracker: Callable[[], Tracker],
    reattach: ReattachSpec,
    progress: Callable[[int], None] = lambda frame: None,
) -> TrackingScore:
    """Score what a detector and a tracker make of a video.

    Args:
        truth: MOTChallenge ground truth of the video; its frame 1 is the video's first.
        video: any file that the pipeline reads.
        detector: as the pipeline uses it.
        new_tracker: makes the tracker.
        reattach: for how long lost people are waited for.
        progress: called with the number of every processed frame, from 1.

    Raises:
        ValueError: if a line of the ground truth cannot be read, or no person is in it.
        pipeline.sources.file_decoder.DecodeError: if the video is damaged.
    """
    people = read_mot(truth)
    if not any(boxes.counts.any() for boxes in people.values()):
        raise ValueError(f"{truth}: no person to track (column 7, the confidence, is 0 everywhere)")
    return score_tracks(people, track_video(video, detector, new_tracker, reattach, progress))


def track_video(
    video: Path,
    detector: PersonDetector,
    new_tracker: Callable[[], Tracker],
    reattach: ReattachSpec,
    progress: Callable[[int], None] = lambda frame: None,
) -> dict[int, LabelledBoxes]:
    """Track every frame of a video; returns the people by frame number from 1."""
    frames = ([frame] for frame in _frames(video))
    detected = detect_people(frames, detector, time.time)
    rows: list[tuple[float, ...]] = []
    tracked = track_people(detected, new_tracker, time.time)
    for item in reattach_tracks(tracked, reattach):
        if isinstance(item, TrackedFrame):
            rows += _mot_rows(item)
            progress(item.frame.index + 1)
    return by_frame(np.array(rows, np.float64).reshape(-1, 7))


def score_tracks(
    truth: Mapping[int, LabelledBoxes], tracks: Mapping[int, LabelledBoxes]
) -> TrackingScore:
    """Compare a tracker's result with the ground truth of the same frames."""
    frames = range(1, max([*truth, *tracks], default=0) + 1)
    pairs = [_without_ignored(truth.get(n, NO_PEOPLE), tracks.get(n, NO_PEOPLE)) for n in frames]
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


def _frames(video: Path) -> Iterator[Frame]:
    with closing(VideoReader(video)) as reader:
        for index, decoded in enumerate(reader.frames()):
            yield Frame(video.stem, index, decoded.pts_s, 0.0, decoded.image, 0.0)


def _mot_rows(item: TrackedFrame) -> list[tuple[float, ...]]:
    return [
        (item.frame.index + 1, p.track_id, x1, y1, x2 - x1, y2 - y1, p.confidence)
        for p in item.people
        for x1, y1, x2, y2 in [p.xyxy.tolist()]
    ]


def _without_ignored(
    truth: LabelledBoxes, found: LabelledBoxes
) -> tuple[LabelledBoxes, LabelledBoxes]:
    """Drop ignored ground truth and what was found there, as MOTChallenge does since 2016."""
    iou = iou_matrix(truth.xyxy, found.xyxy)
    real, hit = linear_sum_assignment(-np.where(iou >= MATCH_IOU, iou, 0))
    on_ignored = (iou[real, hit] >= MATCH_IOU) & ~truth.counts[real]
    kept = np.ones(len(found.ids), bool)
    kept[hit[on_ignored]] = False
    return truth[truth.counts], found[kept]


def _numbered(ids_by_frame: Iterable[NDArray[np.int64]]) -> tuple[list[NDArray[np.int64]], int]:
    """Number ids 0, 1, 2, ... in the order of their first appearance, and count them."""
    numbers: dict[int, int] = defaultdict(lambda: len(numbers))
    numbered = [np.array([numbers[int(i)] for i in ids], np.int64) for ids in ids_by_frame]
    return numbered, len(numbers)
