"""Labelled clips as the whole pipeline sees them: who is found, tracked and recognized in them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from pipeline.errors import SourceError
from training.crops.person_tracks import PersonPath, region_of
from training.evaluation.clip_results import (
    ClipScore,
    UnreadableClip,
    VideoView,
    clip_score,
)
from training.evaluation.video_scores import SubjectScores, VideoScores, stretch_s
from training.labels.samples import Sample
from training.metrics.best_subject import of_subject
from training.metrics.event_matching import is_where


def score_clips(
    samples: Sequence[Sample],
    run: Callable[[Path], VideoScores],
    span_s: float,
    *,
    background: Sequence[int] = (),
    group_labels: Collection[str] = (),
) -> Iterator[ClipScore | UnreadableClip]:
    """Score every sample from one run over its video.

    Args:
        samples: any number of samples of each video.
        run: see `pipeline_scores.score_video`.
        span_s: seconds from the first to the last frame of a clip.
        background: columns of the labels that never become an event.
        group_labels: those that a group can have; a person can have all others.

    Yields:
        One item per sample; the samples of one video one after the other.
    """
    by_video = sorted(samples, key=lambda sample: str(sample.path))  # stable
    for path, group in groupby(by_video, key=lambda sample: sample.path):
        try:
            video = run(path)
        except SourceError as error:
            for sample in group:
                yield UnreadableClip(sample, str(error).removeprefix(f"{path}: "))
            continue
        for sample in group:
            people, views = views_of(video, sample, span_s)
            yield clip_score(
                sample,
                video.people,
                [
                    of_subject(one.scores, one.subject.kind, video.labels, group_labels, background)
                    for one in people
                ],
                views,
                background,
                timelines=people,
                seconds=stretch_s(sample, video.duration_s),
            )


def views_of(
    video: VideoScores, sample: Sample, span_s: float
) -> tuple[list[SubjectScores], list[VideoView]]:
    """Select the clips of a sample's people and groups whose middle lies in its stretch of time.

    Returns:
        The subjects with such clips, cut to them, and where the views of all are from.
    """
    region = region_of(sample, video.wh, video.frame_pts_s)
    start_s = sample.start_s or 0.0
    end_s = np.inf if sample.end_s is None else sample.end_s
    people: list[SubjectScores] = []
    views: list[VideoView] = []
    for one in video.subjects:
        path, ends_s = one.path, one.path.pts_s
        inside = (ends_s - span_s / 2 >= start_s) & (ends_s - span_s / 2 <= end_s)
        until_s = min(end_s, video.duration_s)
        there = any(is_where(person, region, start_s, until_s) for person in one.people)
        if inside.any() and there:
            mine = PersonPath(ends_s[inside], path.xyxy[inside])
            people.append(replace(one, path=mine, scores=one.scores[inside]))
            views += [VideoView(path, end - span_s, end) for end in ends_s[inside].tolist()]
    return people, views
