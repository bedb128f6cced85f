"""Pictures of what was got wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.slowfast.input_spec import InputSpec
from training.crops.clip_choice import evaluation_clips
from training.evaluation.clip_results import ClipEvaluation
from training.evaluation.scored_clip import CachedView, VideoView
from training.evaluation.videos import EventEvaluation
from training.report.film_strips import strip_of, video_strips
from training.report.html import MistakeImage

MOST_PICTURES = 60


def clip_pictures(evaluation: ClipEvaluation, spec: InputSpec) -> tuple[MistakeImage, ...]:
    """Of the clips that are wrong, the surest first.

    Args:
        evaluation: of clips.
        spec: of the recognizer that scored them.
    """
    clips = evaluation.clips
    wrong = np.flatnonzero(~clips.hits())
    sureness = np.nan_to_num(clips.confidence[wrong], nan=-1.0)
    shown = wrong[np.argsort(-sureness, kind="stable")][:MOST_PICTURES].tolist()
    strips = _strips(
        [evaluation.scores[row].view for row in shown], _videos(evaluation, shown), spec
    )
    pictures = []
    for row, jpeg in zip(shown, strips, strict=True):
        predicted = int(clips.predicted[row])
        said = "nothing" if predicted < 0 else clips.classes[predicted]
        sure = clips.confidence[row]
        how_sure = "nobody to score" if np.isnan(sure) else f"{100 * sure:.0f} % sure"
        true = "|".join(evaluation.scores[row].sample.labels)
        title = f"{true}, called {said} ({how_sure})"
        pictures.append(MistakeImage(title, str(evaluation.scores[row].sample.path), jpeg))
    return tuple(pictures)


def event_pictures(evaluation: EventEvaluation) -> tuple[MistakeImage, ...]:
    """Of the events that are wrong, the surest first."""
    wrong = [each for each in evaluation.events if each.verdict in ("wrong", "false alarm")]
    shown = sorted(wrong, key=lambda each: -each.event.peak_score)[:MOST_PICTURES]
    views = [VideoView(e.event.path, e.event.start_s, e.event.end_s) for e in shown]
    strips = _film([each.video for each in shown], views)
    return tuple(
        MistakeImage(
            f"{each.event.action}, {each.verdict} (score {each.event.peak_score:.2f})",
            f"{each.video}, {each.event.start_s:.1f} to {each.event.end_s:.1f} s, "
            f"person {each.event.track_id}",
            jpeg,
        )
        for each, jpeg in zip(shown, strips, strict=True)
    )


def _videos(evaluation: ClipEvaluation, rows: Sequence[int]) -> list[Path]:
    return [evaluation.scores[row].sample.path for row in rows]


def _strips(
    views: Sequence[VideoView | CachedView | None], videos: Sequence[Path], spec: InputSpec
) -> list[bytes | None]:
    filmed = [n for n, view in enumerate(views) if isinstance(view, VideoView)]
    of_film = _film([videos[n] for n in filmed], [v for v in views if isinstance(v, VideoView)])
    strips: list[bytes | None] = [None] * len(views)
    for n, jpeg in zip(filmed, of_film, strict=True):
        strips[n] = jpeg
    for n, view in enumerate(views):
        if isinstance(view, CachedView):
            strips[n] = strip_of(list(evaluation_clips(view.track, spec)[view.number]))
    return strips


def _film(videos: Sequence[Path], views: Sequence[VideoView]) -> list[bytes | None]:
    """A strip per view; every video is read once."""
    of_video: dict[Path, list[int]] = defaultdict(list)
    for number, video in enumerate(videos):
        of_video[video].append(number)
    strips: list[bytes | None] = [None] * len(views)
    for video, numbers in of_video.items():
        for number, jpeg in zip(
            numbers, video_strips(video, [views[n] for n in numbers]), strict=True
        ):
            strips[number] = jpeg
    return strips
