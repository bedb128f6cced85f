"""Decode a video once and cut the people of all its samples."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from models.boxes import FloatArray
from pipeline.sources.video_files import VideoFile, read_frames
from pipeline.stages.detection import PersonDetector
from pipeline.stages.tracking import Tracker
from pipeline.types import Frame, StreamEnd
from training.crops.crop_cache import CutSpec
from training.crops.sample_cut import SampleCut
from training.labels.samples import DataError, Sample


class PeopleFinder(Protocol):
    """Detector and tracker, which need not be loaded where everything is cached."""

    @property
    def identity(self) -> str:
        """Text that differs where another detector or tracker finds other people."""
        ...

    @property
    def detector(self) -> PersonDetector:
        """The detector, loaded at first use."""
        ...

    @property
    def new_tracker(self) -> Callable[[], Tracker]:
        """Factory of trackers, each with its own track ids."""
        ...


def cut_video(
    path: Path, jobs: Iterable[tuple[Sample, Path]], spec: CutSpec, people: PeopleFinder
) -> dict[Sample, str]:
    """Decode a video once and cut all samples of it.

    Returns:
        Why a sample could not be cut, for those that could not.
    """
    reasons: dict[Sample, str] = {}
    cuts: list[SampleCut] = []
    for sample, entry in jobs:
        try:
            cuts.append(SampleCut(sample, spec, entry))
        except DataError as error:
            reasons[sample] = str(error)
    try:
        _decode(path, cuts, spec.fps, people)
        for cut in cuts:
            try:
                cut.finish()
            except DataError as error:
                reasons[cut.sample] = str(error)
    except DataError as error:
        reasons |= {cut.sample: str(error) for cut in cuts}
    finally:
        for cut in cuts:
            cut.discard()
    return reasons


def _decode(path: Path, cuts: Sequence[SampleCut], fps: float, people: PeopleFinder) -> None:
    """Hand every frame to the samples that cover it."""
    last_s = max((cut.to_s for cut in cuts), default=-1.0)
    tracking = _Tracking(people)
    with closing(_thinned_frames(path, fps)) as frames:
        for frame in frames:
            if frame.pts_s > last_s:
                break
            covering = [cut for cut in cuts if cut.covers(frame.pts_s)]
            if any(cut.wants_people for cut in covering):
                found = tracking.find(frame)
            else:
                found = tracking.pause()
            for cut in covering:
                cut.add(frame, found)


def _thinned_frames(path: Path, fps: float) -> Generator[Frame, None, None]:
    """Decode a file, thinned to at most `fps` frames a second; a damaged file is an error."""
    next_s = 0.0
    stop = threading.Event()
    items = read_frames(
        VideoFile(path.stem, path), stop=stop, now=time.time, opened=lambda name, info: None
    )
    with closing(items):
        for item in items:
            if isinstance(item, StreamEnd):
                if item.error:
                    raise DataError(item.error.removeprefix(f"{path}: "))
            elif item.pts_s >= next_s:
                next_s = item.pts_s + 0.9 / fps  # a frame may come a little early
                yield item


class _Tracking:
    """One tracker per run of frames without a gap; ids differ between runs."""

    def __init__(self, people: PeopleFinder) -> None:
        self._people = people
        self._tracker: Tracker | None = None
        self._run = 0

    def find(self, frame: Frame) -> list[tuple[str, FloatArray]]:
        """Detect and track the people of the next frame."""
        if self._tracker is None:
            self._tracker = self._people.new_tracker()
            self._run += 1
        (detections,) = self._people.detector.detect([frame.image])
        tracked, _ = self._tracker.update(frame, detections)
        return [(f"{self._run}-{person.track_id}", person.xyxy) for person in tracked]

    def pause(self) -> list[tuple[str, FloatArray]]:
        """Skip a frame: the run of frames ends."""
        self._tracker = None
        return []
