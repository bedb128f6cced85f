"""From labelled videos to cached people: every video is decoded once, and only if it has to be."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

from models.boxes import FloatArray
from pipeline.detection import PersonDetector
from pipeline.sources import VideoFile, read_frames
from pipeline.tracking import Tracker
from pipeline.types import Frame, StreamEnd
from training.clip_cache import CACHE_WIDTH, JPEG_QUALITY, CachedTrack, CutSpec, read_entry
from training.sample_cut import SampleCut
from training.samples import DataError, Sample, TrackFile

FORMAT = 1  # of the cache; another one makes new entries

log = logging.getLogger(__name__)


class PeopleFinder(Protocol):
    """Detector and tracker, which need not be loaded where everything is cached."""

    @property
    def identity(self) -> str:
        """Another one finds other people."""
        ...

    @property
    def detector(self) -> PersonDetector:
        """Loaded when first asked for."""
        ...

    @property
    def new_tracker(self) -> Callable[[], Tracker]:
        """What makes a tracker; ids count anew in each."""
        ...


@dataclass(frozen=True, slots=True)
class Failure:
    """A sample that is left out."""

    sample: Sample
    reason: str

    def __str__(self) -> str:
        return f"{self.sample.origin}: {self.sample.path}: {self.reason}"


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What there is to learn from."""

    tracks: tuple[CachedTrack, ...]  # in the order of the samples
    failures: tuple[Failure, ...]
    cut: int  # samples that were not in the cache


def prepare_tracks(
    samples: Sequence[Sample],
    spec: CutSpec,
    cache: Path,
    people: PeopleFinder,
    advanced: Callable[[int, int], None] = lambda done, total: None,
) -> Prepared:
    """Cut the people of all samples, or find them in the cache.

    Args:
        samples: of any number of videos, which need not exist.
        spec: geometry.
        cache: folder of the entries; safe to delete when nothing runs.
        people: who finds them where a sample has no box of its own.
        advanced: told how many of the videos that have to be cut are done.
    """
    cache.mkdir(parents=True, exist_ok=True)
    entries = [_entry(sample, spec, cache, people) for sample in samples]
    wanted = {entry: sample for sample, entry in zip(samples, entries, strict=True) if entry}
    missing = [
        (sample, entry) for entry, sample in wanted.items() if read_entry(entry, sample) is None
    ]
    missing.sort(key=lambda one: str(one[0].path))  # stable: a video's samples stay in order
    videos = [(path, list(group)) for path, group in groupby(missing, lambda one: one[0].path)]
    reasons: dict[Sample, str] = {}
    for done, (path, jobs) in enumerate(videos):
        advanced(done, len(videos))
        reasons |= cut_video(path, jobs, spec, people)
    advanced(len(videos), len(videos))
    return _collect(samples, entries, reasons, len(missing))


def _collect(
    samples: Sequence[Sample],
    entries: Sequence[Path | None],
    reasons: dict[Sample, str],
    cut: int,
) -> Prepared:
    tracks: list[CachedTrack] = []
    failures: list[Failure] = []
    for sample, entry in zip(samples, entries, strict=True):
        found = None if entry is None else read_entry(entry, sample)
        if found:
            tracks += found
        else:
            failures.append(Failure(sample, reasons.get(sample, "no such file")))
    return Prepared(tuple(tracks), tuple(failures), cut)


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
    """Hand every picture to the samples that cover it."""
    last_s = max((cut.to_s for cut in cuts), default=-1.0)
    tracking = _Tracking(people)
    with closing(_pictures(path, fps)) as frames:
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


def _pictures(path: Path, fps: float) -> Generator[Frame, None, None]:
    """The frames of a file, thinned to at most `fps` a second; a damaged file is an error."""
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
    """One tracker per run of pictures without a gap; ids differ between runs."""

    def __init__(self, people: PeopleFinder) -> None:
        self._people = people
        self._tracker: Tracker | None = None
        self._run = 0

    def find(self, frame: Frame) -> list[tuple[str, FloatArray]]:
        """Who is where in the next picture."""
        if self._tracker is None:
            self._tracker = self._people.new_tracker()
            self._run += 1
        (detections,) = self._people.detector.detect([frame.image])
        tracked, _ = self._tracker.update(frame, detections)
        return [(f"{self._run}-{person.track_id}", person.xyxy) for person in tracked]

    def pause(self) -> list[tuple[str, FloatArray]]:
        """Nobody looks at this picture: the run ends."""
        self._tracker = None
        return []


def _entry(sample: Sample, spec: CutSpec, cache: Path, people: PeopleFinder) -> Path | None:
    """KEY.json of a sample; None if its video is not there.

    A file is known by its path, size and time of change: reading gigabytes to hash them would
    take longer than what the cache saves.
    """
    identity = file_identity(sample.path)
    if identity is None:
        return None
    box = None if sample.box is None else asdict(sample.box)
    track = file_identity(sample.box.path) if isinstance(sample.box, TrackFile) else None
    parts = {
        "format": [FORMAT, CACHE_WIDTH, JPEG_QUALITY],
        "video": identity,
        "stretch": [sample.start_s, sample.end_s],
        "box": [box, track],
        "spec": asdict(spec),
        "people": people.identity if box is None else None,
    }
    key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    return cache / f"{key[:32]}.json"


def file_identity(path: Path) -> tuple[str, int, int] | None:
    """Path, bytes and nanoseconds of the last change; of a folder, its files together."""
    try:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        stats = [file.stat() for file in files]
    except OSError:
        return None
    newest = max((stat.st_mtime_ns for stat in stats), default=0)
    return str(path.resolve()), sum(stat.st_size for stat in stats), newest
