"""Labelled clips as training sees them: every tracked person every half second, from the cache."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from models.boxes import FloatArray
from models.slowfast.input_spec import InputSpec
from pipeline.stages.recognition import ClipScorer
from pipeline.types import Subject
from training.crops.clip_choice import evaluation_clip_ends_s, evaluation_clips
from training.crops.crop_cache import CachedTrack, CutSpec
from training.crops.person_tracks import PersonPath
from training.crops.preparation import prepare_tracks
from training.crops.video_cut import PeopleFinder
from training.evaluation.clip_results import (
    CachedView,
    ClipScore,
    UnreadableClip,
    clip_score,
)
from training.evaluation.video_scores import SubjectScores
from training.labels.samples import Sample
from training.metrics.best_subject import of_subject

# As in configs/train/default.yaml, so that both use the same cache.
FPS = 10.0
MIN_TRACK_FRACTION = 0.6


def score_cached_clips(
    samples: Sequence[Sample],
    recognizer: ClipScorer,
    spec: InputSpec,
    cache: Path,
    people: PeopleFinder,
    advanced: Callable[[int, int], None],
    *,
    background: Sequence[int] = (),
) -> Iterator[ClipScore | UnreadableClip]:
    """Score every sample from the cached crops of its people.

    A clip in which no person is tracked has no scores: the pipeline sees no person there either.
    Where a person is seen for less than a clip, the first and last crop are repeated; the live
    pipeline does not do that.

    Args:
        samples: of any number of videos.
        recognizer: of people's own clips.
        spec: of the recognizer.
        cache: folder of the crops.
        people: who finds them where they are not in the cache yet.
        advanced: called with how many of the videos that are not in the cache are cut.
        background: columns of the labels that never become an event.

    Yields:
        One item per sample.
    """
    cut = CutSpec.of(spec, fps=FPS, min_track_fraction=MIN_TRACK_FRACTION)
    prepared = prepare_tracks(samples, cut, cache, people, advanced)
    for failure in prepared.failures:
        yield UnreadableClip(failure.sample, failure.reason)
    by_sample: dict[Sample, list[CachedTrack]] = defaultdict(list)
    for track in prepared.tracks:
        by_sample[track.sample].append(track)
    for sample, tracks in by_sample.items():
        tracked = [track for track in tracks if not track.whole_frame]
        yield _score(sample, tracked, recognizer, spec, background)


def _score(
    sample: Sample,
    tracks: Sequence[CachedTrack],
    recognizer: ClipScorer,
    spec: InputSpec,
    background: Sequence[int],
) -> ClipScore:
    subjects, views = [], []
    by_subject: dict[str, list[CachedTrack]] = defaultdict(list)
    for number, track in enumerate(tracks):  # the clips of a group are one subject
        by_subject[track.who or f"person {number}"].append(track)
    timelines: list[SubjectScores] = []
    for mine in by_subject.values():
        rows, ends_s = [], []
        for track in mine:  # one after the other: the crops of all would be large
            scores = recognizer.predict(evaluation_clips(track, spec))
            kind = track.subject
            scores = of_subject(scores, kind, spec.labels, spec.group_labels, background)
            rows += list(scores)
            ends_s += evaluation_clip_ends_s(track, spec).tolist()
            views += [CachedView(track, number) for number in range(len(scores))]
        if rows:
            subjects.append(np.stack(rows))
            subject = Subject(mine[0].subject, len(timelines))
            timelines.append(_timeline(subject, ends_s, subjects[-1]))
    people = sum(track.subject == "person" for track in tracks)
    return clip_score(
        sample,
        people or len(by_subject),
        subjects,
        views,
        background,
        timelines=timelines,
        seconds=_seen_s(tracks),
    )


def _timeline(subject: Subject, ends_s: Sequence[float], scores: FloatArray) -> SubjectScores:
    """Order the clips by time; where the subject is does not matter for what starts."""
    order = np.argsort(ends_s, kind="stable")
    nowhere = PersonPath(np.array(ends_s)[order], np.zeros((len(order), 4), np.float32))
    return SubjectScores(subject, nowhere, scores[order])


def _seen_s(tracks: Sequence[CachedTrack]) -> float:
    """Return the seconds from the first crop of anybody to the last."""
    if not tracks:
        return 0.0
    first = min(float(track.pts_s[0]) for track in tracks)
    return max(float(track.pts_s[-1]) for track in tracks) - first
