"""Everyday video as a test set: the pipeline runs over it, and whatever starts is a false alarm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import get_args

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.video_search import search_folder
from pipeline.stages.subject_decider import DecisionPolicy
from pipeline.types import SubjectKind
from training.evaluation.negatives import Alarm, Negative, NegativeResult, highest_peaks, peaks_of
from training.evaluation.video_scores import SubjectScores, VideoScores, decide_events, stretch_s
from training.labels.label_files import TABLES, read_samples
from training.labels.samples import DataError, Sample

UNSORTED = "everyday"  # kind of a video that lies in no folder of its own


@dataclass(frozen=True, slots=True, eq=False)
class EverydayEvaluation:
    """False alarms on everyday video."""

    result: NegativeResult
    too_short: tuple[Sample, ...]  # for any clip: no alarm could be, so they prove nothing
    without_people: int  # negatives in which no person was tracked


def read_everyday(source: Path, *, label_file: Path | None = None) -> list[Sample]:
    """Read everyday video: a table or list of labels, or a folder of videos.

    Args:
        source: any form of `read_samples`; or a folder, searched to its full depth, in which the
            first folder below it is the kind of its videos.
        label_file: names of numbered labels.

    Raises:
        DataError: if it does not exist or holds no video.
    """
    if not source.is_dir() or any((source / name).is_file() for name in TABLES):
        return read_samples(source, label_file=label_file)
    videos = search_folder(source, recursive=True).videos
    if not videos:
        raise DataError(f"{source}: no video in this folder or below it")
    return [_sample_of(video, source) for video in videos]


def _sample_of(video: Path, source: Path) -> Sample:
    inside = video.relative_to(source).parts
    kind = inside[0] if len(inside) > 1 else UNSORTED
    return Sample(video, (kind,), kind=kind, origin=str(Path(*inside)))


def evaluate_everyday(
    samples: Sequence[Sample],
    run: Callable[[Path], VideoScores],
    policy: DecisionPolicy,
    actions: Sequence[str],
    *,
    aliases: Mapping[str, str],
    span_s: float,
) -> tuple[EverydayEvaluation, list[str]]:
    """Run the pipeline once over every video and count what starts.

    Args:
        samples: stretches of everyday video. An action that a stretch has as its label or its kind
            is true there, and no false alarm.
        run: see `video_scores.score_video`.
        policy: the decision rules.
        actions: that are judged.
        aliases: label of the data -> label of the model.
        span_s: seconds from the first to the last frame of a clip; shorter stretches are skipped.

    Returns:
        The evaluation, and what could not be read.
    """
    negatives: list[Negative] = []
    too_short: list[Sample] = []
    unreadable: list[str] = []
    without_people = 0
    by_video = sorted(samples, key=lambda sample: str(sample.path))  # stable
    for path, group in groupby(by_video, key=lambda sample: sample.path):
        try:
            video = run(path)
        except SourceError as error:
            unreadable.append(str(error))
            continue
        for sample in group:
            if stretch_s(sample, video.duration_s) < span_s:
                too_short.append(sample)
                continue
            without_people += not video.people
            true = {aliases.get(name, name) for name in (*sample.labels, sample.kind or "")}
            negatives.append(_negative(sample, video, policy, actions, frozenset(true)))
    result = NegativeResult(tuple(negatives), tuple(actions))
    return EverydayEvaluation(result, tuple(too_short), without_people), unreadable


def _negative(
    sample: Sample,
    video: VideoScores,
    policy: DecisionPolicy,
    actions: Sequence[str],
    true: frozenset[str],
) -> Negative:
    start_s = sample.start_s or 0.0
    end_s = np.inf if sample.end_s is None else sample.end_s
    judged = [action for action in actions if action not in true]
    alarms = [
        Alarm(event.action, event.start_s, event.end_s, event.peak_score, by_rules=True)
        for event in decide_events(video.subjects, video.labels, policy)
        if event.action in judged and start_s <= event.decided_s <= end_s
    ]
    able = {
        kind: [action for action in judged if action in policy.of(kind).rules]
        for kind in get_args(SubjectKind)
    }
    peaks = [
        peak
        for one in video.subjects
        for peak in peaks_of(one, video.labels, able[one.subject.kind], start_s, end_s)
    ]
    return Negative(
        path=sample.path,
        source=sample.source,
        kind=sample.kind or "|".join(sample.labels),
        seconds=stretch_s(sample, video.duration_s),
        alarms=tuple(alarms),
        peaks=highest_peaks(peaks),
        true_actions=true & frozenset(actions),
    )


def _of(mine: SubjectScores, actions: Sequence[str], policy: DecisionPolicy) -> list[str]:
    """Return the actions that such a subject can do."""
    able = policy.of(mine.subject.kind).rules
    return [action for action in actions if action in able]
