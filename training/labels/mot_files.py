"""Read boxes with identities from MOTChallenge text files, ground truth and results alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray, ltwh_to_xyxy
from models.checkpoints.text_files import read_text

COLUMNS = "frame, id, left, top, width, height, confidence"
_NUM_COLUMNS = 7  # what follows, 3-D positions or classes, is not read


@dataclass(frozen=True, slots=True, eq=False)
class LabelledBoxes:
    """The people of one frame, from ground truth or from a tracker."""

    ids: NDArray[np.int64]  # (N,)
    xyxy: FloatArray  # float32 (N, 4) pixels
    counts: NDArray[np.bool_]  # (N,) False: ground truth that is neither to be found nor wrong

    def __getitem__(self, rows: NDArray[np.bool_]) -> LabelledBoxes:
        return LabelledBoxes(self.ids[rows], self.xyxy[rows], self.counts[rows])


NO_PEOPLE = LabelledBoxes(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), np.zeros(0, bool))


def read_mot_rows(path: Path) -> NDArray[np.float64]:
    """Read the numbers of a file in the file's order.

    Returns:
        float64 (N, 7): frame from 1, id, left, top, width, height in pixels, confidence.

    Raises:
        ValueError: if a line does not hold seven numbers, or a frame below 1; file and line are
            named.
    """
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = [float(field) for field in line.split(",")[:_NUM_COLUMNS]]
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}; wanted: {COLUMNS}") from error
        if len(row) < _NUM_COLUMNS or not all(map(math.isfinite, row)) or row[0] < 1:
            raise ValueError(f"{path}, line {number}: {line.strip()!r} is not {COLUMNS} from 1 on")
        rows.append(row)
    return np.array(rows, np.float64).reshape(-1, _NUM_COLUMNS)


def read_mot(path: Path) -> dict[int, LabelledBoxes]:
    """Read the people by frame number from 1; frames without people are skipped.

    A confidence of 0 marks ground truth to be ignored (MOTChallenge 2015).

    Raises:
        ValueError: if a line cannot be read; file and line are named.
    """
    return by_frame(read_mot_rows(path))


def by_frame(rows: NDArray[np.float64]) -> dict[int, LabelledBoxes]:
    """Group rows of `read_mot_rows` by their frame number."""
    frames = rows[:, 0].astype(int)
    return {int(frame): _labelled(rows[frames == frame]) for frame in np.unique(frames)}


def _labelled(rows: NDArray[np.float64]) -> LabelledBoxes:
    xyxy = ltwh_to_xyxy(rows[:, 2:6].astype(np.float32))
    return LabelledBoxes(rows[:, 1].astype(np.int64), xyxy, rows[:, 6] != 0)
