"""Who is where in a video: ground-truth tracks, and detections linked over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray, iou_matrix, ltwh_to_xyxy
from models.detections import Detections
from training.labels.mot_files import read_mot_rows
from training.labels.samples import DataError, PersonBox, Sample, TrackFile

LINK_IOU = 0.3  # boxes of one person overlap at least this much between two looks
MAX_MISSED = 5  # looks without a box after which a person is gone


@dataclass(frozen=True, slots=True, eq=False)
class PersonTrack:
    """One person's boxes."""

    frames: NDArray[np.intp]  # int (N,) growing frame indices
    xyxy: FloatArray  # float32 (N, 4) pixels
    person: int = 0  # number in the file it comes from

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, rows: slice | NDArray[np.bool_]) -> PersonTrack:
        return PersonTrack(self.frames[rows], self.xyxy[rows], self.person)


@dataclass(frozen=True, slots=True, eq=False)
class PersonPath:
    """Where a person is over time."""

    pts_s: NDArray[np.float64]  # (N,) seconds of the video, growing, N >= 1
    xyxy: FloatArray  # float32 (N, 4) pixels

    def at(self, pts_s: NDArray[np.float64]) -> FloatArray:
        """Return the boxes nearest in time: float64 (M,) seconds -> float32 (M, 4) pixels."""
        right = np.searchsorted(self.pts_s, pts_s).clip(0, len(self.pts_s) - 1)
        left = (right - 1).clip(0)
        nearer_left = pts_s - self.pts_s[left] < self.pts_s[right] - pts_s
        return self.xyxy[np.where(nearer_left, left, right)]


def read_mot_tracks(path: Path) -> list[PersonTrack]:
    """Read MOTChallenge ground truth, without the rows that it marks as ignored.

    Raises:
        ValueError: if a line cannot be read; file and line are named.
    """
    rows = read_mot_rows(path)
    rows = rows[rows[:, 6] != 0]
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    tracks = []
    for person in np.unique(rows[:, 1]):
        mine = rows[rows[:, 1] == person]
        boxes = ltwh_to_xyxy(mine[:, 2:6].astype(np.float32))
        tracks.append(PersonTrack(mine[:, 0].astype(np.intp) - 1, boxes, int(person)))
    return tracks


def read_members(file: TrackFile) -> dict[int, list[FloatArray]]:
    """Read the boxes of the members of a group: float32 (4,) pixels each, by frame index.

    Args:
        file: with the members alone, or with one track id: the person is the group.

    Raises:
        DataError: if the file cannot be read, or has no track of that number.
    """
    tracks = [read_track(file)] if file.track_id is not None else _read_tracks(file.path)
    boxes: dict[int, list[FloatArray]] = {}
    for track in tracks:
        for frame, box in zip(track.frames.tolist(), track.xyxy, strict=True):
            boxes.setdefault(frame, []).append(box)
    return boxes


def read_track(file: TrackFile) -> PersonTrack:
    """Read the one person that a sample means.

    Raises:
        DataError: if the file cannot be read, or which person is meant is not clear.
    """
    tracks = _read_tracks(file.path)
    ids = ", ".join(str(track.person) for track in tracks)
    if file.track_id is not None:
        tracks = [track for track in tracks if track.person == file.track_id]
    if len(tracks) != 1:
        wanted = "a track_id is needed" if file.track_id is None else f"no track {file.track_id}"
        raise DataError(f"track {file.path}: {wanted}; it has {ids}")
    return tracks[0]


def _read_tracks(path: Path) -> list[PersonTrack]:
    try:
        return read_mot_tracks(path)
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"track {path}: cannot be read as MOTChallenge ({error})") from error


def region_of(
    sample: Sample, wh: tuple[int, int], frame_pts_s: NDArray[np.float64]
) -> PersonPath | None:
    """Find where the person of a sample is, in pixels and on the clock of the video.

    Args:
        sample: with a box, a track or neither.
        wh: width and height of the video, pixels.
        frame_pts_s: float64 (F,) seconds of every frame.

    Returns:
        None if the sample is of every person there.

    Raises:
        DataError: if its track file cannot be read or has other frames than the video.
    """
    if sample.box is None:
        return None
    if isinstance(sample.box, PersonBox):
        scale = np.array([*wh, *wh]) if sample.box.normalized else np.ones(4)
        box = (np.array(sample.box.xyxy) * scale).astype(np.float32)
        return PersonPath(np.zeros(1), box[None])
    track = read_track(sample.box)
    if track.frames[-1] >= len(frame_pts_s):
        raise DataError(
            f"{sample.origin}: {sample.box.path} has frame {track.frames[-1] + 1}, "
            f"{sample.path} has only {len(frame_pts_s)}"
        )
    return PersonPath(frame_pts_s[track.frames], track.xyxy)


def write_mot_tracks(path: Path, tracks: Sequence[PersonTrack]) -> None:
    """Write what `read_mot_tracks` reads, to a hundredth of a pixel."""
    with path.open("w") as file:
        for track in tracks:
            for frame, (x1, y1, x2, y2) in zip(track.frames, track.xyxy.tolist(), strict=True):
                box = f"{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f}"
                file.write(f"{frame + 1},{track.person},{box},1,-1,-1,-1\n")


def link_detections(looks: Sequence[Detections]) -> list[PersonTrack]:
    """Join boxes of successive looks greedily, the largest overlap first.

    Enough for cuts of a few seconds; the pipeline has a real tracker.

    Args:
        looks: the people of each frame, in order.

    Returns:
        A track per person, in order of appearance; its frames are indices into `looks`.
    """
    finished: list[list[tuple[int, FloatArray]]] = []
    active: list[list[tuple[int, FloatArray]]] = []
    for index, look in enumerate(looks):
        finished += [track for track in active if index - track[-1][0] > MAX_MISSED]
        active = [track for track in active if index - track[-1][0] <= MAX_MISSED]
        last = np.array([track[-1][1] for track in active], np.float32).reshape(-1, 4)
        matched = _greedy_pairs(iou_matrix(last, look.xyxy))
        for track_row, box_row in matched.items():
            active[track_row].append((index, look.xyxy[box_row]))
        new = set(range(len(look))) - set(matched.values())
        active += [[(index, look.xyxy[row])] for row in sorted(new)]
    return [
        PersonTrack(np.array([i for i, _ in track]), np.stack([box for _, box in track]))
        for track in sorted(finished + active, key=lambda track: track[0][0])
    ]


def touches_another(track: PersonTrack, others: Sequence[PersonTrack], reach: float = 0.25) -> bool:
    """Return whether this person is close to another one in at least half of the frames.

    Args:
        track: the person.
        others: everybody else in the same video.
        reach: boxes are widened on each side by this share of their longer side.
    """
    by_frame: dict[int, list[FloatArray]] = {}
    for other in others:
        for frame, box in zip(other.frames, _widened(other.xyxy, reach), strict=True):
            by_frame.setdefault(int(frame), []).append(box)
    close = [
        bool((iou_matrix(box[None], np.stack(by_frame[int(frame)])) > 0).any())
        for frame, box in zip(track.frames, _widened(track.xyxy, reach), strict=True)
        if int(frame) in by_frame
    ]
    return sum(close) >= len(track) / 2


def _widened(xyxy: FloatArray, reach: float) -> FloatArray:
    longer = np.maximum(xyxy[:, 2] - xyxy[:, 0], xyxy[:, 3] - xyxy[:, 1])[:, None]
    widened: FloatArray = xyxy + reach * longer * np.array([-1, -1, 1, 1], np.float32)
    return widened


def _greedy_pairs(iou: FloatArray) -> dict[int, int]:
    pairs: dict[int, int] = {}
    while iou.size and iou.max() >= LINK_IOU:
        row, column = (int(i) for i in np.unravel_index(iou.argmax(), iou.shape))
        pairs[row] = column
        iou[row, :] = -1
        iou[:, column] = -1
    return pairs
