"""Cut labelled videos into cached people: each is decoded once, and only if it has to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pipeline.runtime.private_files import make_private_folder
from training.crops.crop_cache import CachedTrack, CutSpec, entry_of, read_entry
from training.crops.video_cut import PeopleFinder, cut_video
from training.labels.samples import Sample


@dataclass(frozen=True, slots=True)
class Failure:
    """A sample that cannot be used."""

    sample: Sample
    reason: str

    def __str__(self) -> str:
        return f"{self.sample.origin}: {self.sample.path}: {self.reason}"


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """People to train on, and what could not be used."""

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
        advanced: called with how many of the videos that have to be cut are done.
    """
    make_private_folder(cache)  # images of people
    detects = any(sample.box is None for sample in samples)
    identity = people.identity if detects else ""  # asking may load the detector
    entries = [entry_of(sample, spec, cache, identity) for sample in samples]
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
