"""Turn labels into people to train on, checked on the way."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from training.config import DataConfig
from training.console import ProgressPrinter
from training.crops.crop_cache import CachedTrack, CutSpec
from training.crops.people_finder import ConfiguredPeopleFinder
from training.crops.preparation import Prepared, prepare_tracks
from training.labels.checks import Finding, check_labels, labels_without_clips, listed
from training.labels.label_files import read_samples
from training.labels.samples import DataError, PersonBox, Sample, Split, label_names
from training.labels.splits import with_validation

log = logging.getLogger(__name__)
CUT_LINE_INTERVAL_S = 30.0  # of the progress where there is no terminal
WHOLE_FRAME = PersonBox((0.0, 0.0, 1.0, 1.0), normalized=True)
TOO_MANY_LOST = 0.5  # fraction of the samples


@dataclass(frozen=True, slots=True)
class LabelledData:
    """Samples with their splits, and the classes."""

    samples: tuple[Sample, ...]
    labels: tuple[str, ...]
    multi_label: bool

    def describe(self) -> str:
        """Summarize the numbers of samples and labels in one line."""
        counts = Counter(one.split for one in self.samples)
        parts = ", ".join(f"{counts[s]} {s}" for s in ("train", "val", "test") if counts[s])
        kind = "several per sample" if self.multi_label else "one each"
        return f"{len(self.samples)} samples ({parts}); {len(self.labels)} labels, {kind}"


def load_labels(
    sources: Sequence[Path],
    section: DataConfig,
    *,
    label_file: Path | None,
    videos: Path | None,
    seed: int,
) -> LabelledData:
    """Read and check labels; hold samples out if there is no validation split.

    Args:
        sources: folders and files of labels.
        section: of the configuration.
        label_file: names the numbers of lists.
        videos: folder of relative paths.
        seed: of what is held out.

    Raises:
        DataError: if they cannot be trained on.
    """
    samples = read_sources(sources, section, label_file=label_file, videos=videos)
    return label_data(samples, section, seed=seed)


def read_sources(
    sources: Sequence[Path], section: DataConfig, *, label_file: Path | None, videos: Path | None
) -> list[Sample]:
    """Read labels as `load_labels` does, and check nothing but their form."""
    samples = [
        sample
        for source in sources
        for sample in read_samples(
            source, label_file=label_file, videos=videos, time_offset_s=section.ava_start_s
        )
    ]
    if section.people == "whole_frame":
        samples = [one if one.box else replace(one, box=WHOLE_FRAME) for one in samples]
    return samples


def label_data(samples: Sequence[Sample], section: DataConfig, *, seed: int) -> LabelledData:
    """Check samples, and hold some out if none is for validation.

    Args:
        samples: with their splits, as far as they have any.
        section: of the configuration.
        seed: of what is held out.

    Raises:
        DataError: if they cannot be trained on.
    """
    labels = section.labels or label_names(samples)
    multi_label = section.multi_label
    if multi_label is None:
        multi_label = any(len(one.labels) > 1 for one in samples)
    has_validation = any(one.split == "val" for one in samples)
    placed = with_validation(samples, section.val_share, seed)
    if not has_validation and section.val_share:
        by = "group" if any(one.group for one in samples) else "file, as there are no groups"
        log.info("no sample is for validation: %.0f %% held out by %s", 100 * section.val_share, by)
    report_findings(check_labels(placed, labels, multi_label=multi_label))
    return LabelledData(placed, labels, multi_label)


def cut_people(
    data: LabelledData,
    spec: CutSpec,
    cache: Path,
    people: ConfiguredPeopleFinder,
    console: Console,
) -> Prepared:
    """Cut the people of all samples, and check what came of it.

    Raises:
        DataError: if too much is unreadable, or a class has no clip left.
    """
    with ProgressPrinter(console, CUT_LINE_INTERVAL_S) as printer:
        prepared = prepare_tracks(
            data.samples, spec, cache, people, lambda *counts: show_cut_videos(printer, *counts)
        )
    report_findings(check_videos(prepared, data.samples, data.labels, spec.span_s))
    log.info("%d people in %d samples", len(prepared.tracks), len(data.samples))
    return prepared


def show_cut_videos(printer: ProgressPrinter, done: int, total: int) -> None:
    """Show how many videos are cut; nothing if all of them are cached.

    Args:
        printer: made when the cutting began.
        done: videos that are cut.
        total: videos that are not in the cache.
    """
    if total:
        left = f", {printer.time_left(done, total)}" if 0 < done < total else ""
        printer.update(
            "cutting people out of videos",
            done,
            total,
            f"people cut out of {done} of {total} videos{left}",
            always=done in (0, total),
        )


def report_findings(findings: Iterable[Finding]) -> None:
    """Log warnings and raise all errors together.

    Raises:
        DataError: with all errors.
    """
    found = list(findings)
    for finding in found:
        if finding.level == "warning":
            log.warning("%s", finding)
    errors = [str(finding) for finding in found if finding.level == "error"]
    if errors:
        raise DataError("\n".join(errors))


def tracks_of(prepared: Prepared, split: Split) -> tuple[CachedTrack, ...]:
    """Return the people of one split."""
    return tuple(track for track in prepared.tracks if track.sample.split == split)


def identity_of(tracks: Sequence[CachedTrack], labels: Sequence[str]) -> str:
    """Hash the clips with their labels and splits."""
    parts = [(t.file.name, float(t.pts_s[0]), t.sample.labels, t.sample.split) for t in tracks]
    return hashlib.sha256(json.dumps([parts, list(labels)]).encode()).hexdigest()


def check_videos(
    prepared: Prepared, samples: Sequence[Sample], labels: Sequence[str], span_s: float
) -> list[Finding]:
    """Find unreadable videos, samples without a tracked person, and people seen too briefly.

    Args:
        prepared: what could be cut.
        samples: what there was to cut.
        labels: the classes.
        span_s: of a clip.
    """
    left = {track.sample for track in prepared.tracks if track.sample.split == "train"}
    return [
        *_unreadable(prepared, len(samples)),
        *_whole_frames(prepared, len(samples)),
        *_short(prepared, span_s),
        *(labels_without_clips(left, labels) if prepared.failures else ()),
    ]


def _unreadable(prepared: Prepared, count: int) -> Iterator[Finding]:
    lost = len(prepared.failures)
    if lost:
        yield Finding(
            "error" if lost > TOO_MANY_LOST * count else "warning",
            f"{lost} of {count} samples cannot be used: "
            + listed(map(str, prepared.failures), "\n  "),
            "They are skipped; repair the files or remove their lines",
        )


def _whole_frames(prepared: Prepared, count: int) -> Iterator[Finding]:
    whole = {track.sample for track in prepared.tracks if track.whole_frame}
    if whole:
        yield Finding(
            "warning",
            f"in {len(whole)} of {count} samples no person is tracked, so the whole frame is used: "
            f"{_paths(whole)}",
            "The pipeline sees single people only: a lower detector.confidence, better "
            "detector.weights, or your own boxes help",
        )


def _short(prepared: Prepared, span_s: float) -> Iterator[Finding]:
    short = {
        track.sample for track in prepared.tracks if track.pts_s[-1] - track.pts_s[0] < span_s / 2
    }
    if short:
        yield Finding(
            "warning",
            f"in {len(short)} samples a person is seen for less than half a clip of "
            f"{span_s:.1f} s: {_paths(short)}",
            "Their first and last frames are repeated, which no camera shows; longer videos or "
            "a shorter clip (input.clip_len, input.frame_interval) are better",
        )


def _paths(samples: Iterable[Sample]) -> str:
    return listed(sorted(str(one.path) for one in samples))
