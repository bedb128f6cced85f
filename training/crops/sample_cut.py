"""Cut the people and groups of one sample out of the frames of its video, as they are decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from models.boxes import FloatArray
from pipeline.stages.clip_sampling import crop_person
from pipeline.types import Frame
from training.crops.crop_cache import GROUP, CutSpec, TrackIndex, encode_crop, write_index
from training.crops.group_cut import GroupCut, hull_at
from training.crops.person_tracks import read_members, read_track
from training.labels.samples import DataError, PersonBox, Sample, TrackFile, subjects_of

MIN_SEEN = 0.5  # fraction of a given box that must be in the frame
MIN_SIDE = 4  # pixels of a given box
MIN_CROPS = 2  # sampling in time needs two frames
WHOLE_FRAME, GIVEN = "whole frame", "given"

People = Iterable[tuple[str, FloatArray]]  # who, and float32 (4,) pixels
BoxAt = Callable[[Frame], FloatArray | None]


class SampleCut:
    """Collects the crops of one sample; `finish` makes the entry of the cache whole.

    Args:
        sample: what to cut.
        spec: how.
        entry: KEY.json of the cache.

    Raises:
        DataError: if the sample's track file cannot be read, or its subject cannot be right.
    """

    def __init__(self, sample: Sample, spec: CutSpec, entry: Path) -> None:
        self.sample, self._spec, self._entry = sample, spec, entry
        self._subjects = subjects_of(sample, spec.group_labels)
        self._given = _given_box(sample, of_group="group" in self._subjects)
        self._groups = GroupCut(spec.span_s, spec.cache_group_margin, self._write_group)
        self._from_s, self._to_s = stretch_s(sample, spec.span_s)
        self._people: dict[str, TrackIndex] = {}
        self._seen: list[float] = []  # times of all frames of the stretch
        self._end = 0  # bytes written
        self._problem: str | None = None
        self._jpegs = entry.with_suffix(".jpegs.part").open("wb")

    @property
    def wants_people(self) -> bool:
        """True if people have to be detected: no box was given."""
        return self._given is None

    @property
    def to_s(self) -> float:
        """End of the stretch in seconds; infinite: the end of the video."""
        return self._to_s

    def covers(self, pts_s: float) -> bool:
        """Return whether a frame of that time belongs to the sample."""
        return self._from_s - 1e-6 <= pts_s <= self._to_s + 1e-6

    def add(self, frame: Frame, people: People) -> None:
        """Take the next frame of the stretch and the people who were tracked in it."""
        self._seen.append(frame.pts_s)
        if self._given is not None:
            people = self._where_given(frame)
        elif not self._good_tracks():  # until a person was seen long enough
            width, height = frame.wh
            whole = np.array([0, 0, width, height], np.float32)
            self._write(frame, WHOLE_FRAME, whole, self._spec.cache_margin)
        people = list(people)
        if "person" in self._subjects:
            for who, xyxy in people:
                self._write(frame, who, xyxy, self._spec.cache_margin)
        if "group" in self._subjects and self._given is not None:
            self._groups.add_hulls(frame, dict(enumerate(xyxy for _, xyxy in people)))
        elif "group" in self._subjects:
            self._groups.add(frame, people)

    def finish(self) -> None:
        """Make the entry whole.

        Raises:
            DataError: if there are too few frames or boxes.
        """
        self._groups.finish()
        self._jpegs.close()
        tracks = self._good_tracks()
        whole_frame = not tracks and self.wants_people
        if whole_frame:
            tracks = [self._people[WHOLE_FRAME]] if WHOLE_FRAME in self._people else []
        if not tracks or len(tracks[0].pts_s) < MIN_CROPS:
            raise DataError(self._what_is_missing())
        jpegs = self._entry.with_suffix(".jpegs")
        self._entry.with_suffix(".jpegs.part").replace(jpegs)
        write_index(self._entry, tracks, whole_frame=whole_frame)

    def discard(self) -> None:
        """Remove the files of an entry that was not finished."""
        self._jpegs.close()
        self._entry.with_suffix(".jpegs.part").unlink(missing_ok=True)

    def _where_given(self, frame: Frame) -> People:
        try:
            box = None if self._given is None else self._given(frame)
        except DataError as error:
            self._problem, box = str(error), None
        return () if box is None else ((GIVEN, box),)

    def _write_group(self, frame: Frame, who: str, window: FloatArray) -> None:
        self._write(frame, who, window, margin=0.0)

    def _write(self, frame: Frame, who: str, xyxy: FloatArray, margin: float) -> None:
        size = self._spec.cache_size
        data = encode_crop(crop_person(frame.image, xyxy, size=size, margin=margin))
        self._jpegs.write(data)
        of_group = who.partition("/")[0] if who.startswith(GROUP) else ""
        index = self._people.setdefault(who, TrackIndex([], [], [], of_group))
        index.add(frame.pts_s, self._end, len(data))
        self._end += len(data)

    def _good_tracks(self) -> list[TrackIndex]:
        """Return the groups and the people who were seen long enough, or whose box was given."""
        if self._given is not None:
            return [track for track in self._people.values() if len(track.pts_s) >= MIN_CROPS]
        longest_s = self._seen[-1] - self._seen[0] if self._seen else 0.0
        needed_s = self._spec.min_track_fraction * min(longest_s, self._spec.span_s)
        return [
            track
            for who, track in self._people.items()
            if who != WHOLE_FRAME
            and len(track.pts_s) >= MIN_CROPS
            and (track.who or track.seen_s >= needed_s)
        ]

    def _what_is_missing(self) -> str:
        if self._problem:
            return self._problem
        if len(self._seen) < MIN_CROPS:
            until = "its end" if np.isinf(self._to_s) else f"{self._to_s:g} s"
            return f"{len(self._seen)} frames from {self._from_s:g} s to {until}: too short"
        return "the given track has no box in this stretch"


def stretch_s(sample: Sample, span_s: float) -> tuple[float, float]:
    """Return what is cut, in seconds: the sample, widened to a clip's span where it is shorter.

    A short action is shown with what really happens around it, as a live camera would see it.
    """
    start, end = sample.start_s or 0.0, np.inf if sample.end_s is None else sample.end_s
    missing_s = max(0.0, span_s - (end - start))
    return max(0.0, start - missing_s / 2), end + missing_s / 2


def _given_box(sample: Sample, *, of_group: bool) -> BoxAt | None:
    if sample.box is None:
        return None
    if isinstance(sample.box, TrackFile) and of_group:
        members = read_members(sample.box)
        return lambda frame: _inside(hull_at(members, frame.index), frame.wh)
    if isinstance(sample.box, TrackFile):
        track = read_track(sample.box)
        boxes = dict(zip(track.frames.tolist(), track.xyxy, strict=True))
        return lambda frame: _inside(boxes.get(frame.index), frame.wh)
    box = sample.box
    return lambda frame: _fixed_box(box, frame.wh)


def _fixed_box(box: PersonBox, wh: tuple[int, int]) -> FloatArray:
    width, height = wh
    scale = np.array([width, height] * 2, np.float32) if box.normalized else np.float32(1)
    xyxy = np.asarray(np.array(box.xyxy, np.float32) * scale, np.float32)
    x1, y1, x2, y2 = xyxy.tolist()
    seen = max(0.0, min(x2, width) - max(x1, 0.0)) * max(0.0, min(y2, height) - max(y1, 0.0))
    corners = ",".join(f"{value:g}" for value in (x1, y1, x2, y2))
    if seen < MIN_SEEN * (x2 - x1) * (y2 - y1):
        where = "lies" if seen == 0 else "lies mostly"
        raise DataError(
            f"the box {corners} {where} outside the frame of {width}x{height}; it is x1,y1,x2,y2 "
            "in pixels of the video"
        )
    if min(x2 - x1, y2 - y1) < MIN_SIDE:
        raise DataError(
            f"the box {corners} is smaller than {MIN_SIDE} pixels: no person can be seen in it"
        )
    return xyxy


def _inside(xyxy: FloatArray | None, wh: tuple[int, int]) -> FloatArray | None:
    """Return the box; None if no part of it is in the frame: the person has left."""
    if xyxy is None or xyxy[0] >= wh[0] or xyxy[1] >= wh[1] or xyxy[2] <= 0 or xyxy[3] <= 0:
        return None
    return xyxy
