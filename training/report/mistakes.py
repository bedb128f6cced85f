"""Images of the mistakes: a few crops over time, side by side."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.slowfast.input_spec import InputSpec
from pipeline.sources.video_files import VideoFile, read_frames
from pipeline.stages.clip_sampling import crop_person
from pipeline.types import Frame, StreamEnd
from training.crops.clip_choice import evaluation_clips
from training.evaluation.clip_results import CachedView, ClipEvaluation, VideoView
from training.evaluation.videos import EventEvaluation
from training.report.html import MistakeImage

MAX_MISTAKES = 60
CROPS_PER_STRIP = 4
SIZE = 112  # pixels, each
MARGIN = 0.25
JPEG_QUALITY = 80


def clip_mistakes(evaluation: ClipEvaluation, spec: InputSpec) -> tuple[MistakeImage, ...]:
    """Cut images of the clips that are wrong, the most confident first.

    Args:
        evaluation: of clips.
        spec: of the recognizer that scored them.
    """
    clips = evaluation.clips
    wrong = np.flatnonzero(~clips.hits())
    confidence = np.nan_to_num(clips.confidence[wrong], nan=-1.0)
    shown = wrong[np.argsort(-confidence, kind="stable")][:MAX_MISTAKES].tolist()
    strips = _strips(
        [evaluation.scores[row].view for row in shown], _videos(evaluation, shown), spec
    )
    mistakes = []
    for row, jpeg in zip(shown, strips, strict=True):
        predicted = int(clips.predicted[row])
        said = "nothing" if predicted < 0 else clips.classes[predicted]
        value = clips.confidence[row]
        confidence_text = "nobody to score" if np.isnan(value) else f"{100 * value:.0f} % confident"
        true = "|".join(evaluation.scores[row].sample.labels)
        title = f"{true}, called {said} ({confidence_text})"
        mistakes.append(MistakeImage(title, str(evaluation.scores[row].sample.path), jpeg))
    return tuple(mistakes)


def event_mistakes(evaluation: EventEvaluation) -> tuple[MistakeImage, ...]:
    """Cut images of the events that are wrong, the most confident first."""
    wrong = [each for each in evaluation.events if each.verdict in ("wrong", "false alarm")]
    shown = sorted(wrong, key=lambda each: -each.event.peak_score)[:MAX_MISTAKES]
    views = [VideoView(e.event.path, e.event.start_s, e.event.end_s) for e in shown]
    strips = _video_strips([each.video for each in shown], views)
    return tuple(
        MistakeImage(
            f"{each.event.action}, {each.verdict} (score {each.event.peak_score:.2f})",
            f"{each.video}, {each.event.start_s:.1f} to {each.event.end_s:.1f} s, "
            f"{each.event.subject.kind} {each.event.subject.id}",
            jpeg,
        )
        for each, jpeg in zip(shown, strips, strict=True)
    )


def _videos(evaluation: ClipEvaluation, rows: Sequence[int]) -> list[Path]:
    return [evaluation.scores[row].sample.path for row in rows]


def _strips(
    views: Sequence[VideoView | CachedView | None], videos: Sequence[Path], spec: InputSpec
) -> list[bytes | None]:
    from_video = [n for n, view in enumerate(views) if isinstance(view, VideoView)]
    strips_of_videos = _video_strips(
        [videos[n] for n in from_video], [v for v in views if isinstance(v, VideoView)]
    )
    strips: list[bytes | None] = [None] * len(views)
    for n, jpeg in zip(from_video, strips_of_videos, strict=True):
        strips[n] = jpeg
    for n, view in enumerate(views):
        if isinstance(view, CachedView):
            strips[n] = strip_of(list(evaluation_clips(view.track, spec)[view.number]))
    return strips


def _video_strips(videos: Sequence[Path], views: Sequence[VideoView]) -> list[bytes | None]:
    """Cut a strip per view; every video is decoded once."""
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


def strip_of(crops: Sequence[NDArray[np.uint8]]) -> bytes:
    """Encode some of the crops side by side, evenly spread, as JPEG.

    Args:
        crops: uint8 (S, S, 3) BGR, at least one.
    """
    chosen = np.linspace(0, len(crops) - 1, CROPS_PER_STRIP).round().astype(int)
    small = [cv2.resize(crops[n], (SIZE, SIZE), interpolation=cv2.INTER_AREA) for n in chosen]
    done, data = cv2.imencode(".jpg", np.hstack(small), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done
    return data.tobytes()


def video_strips(video: Path, views: Sequence[VideoView]) -> list[bytes | None]:
    """Decode a video once and cut a strip for every view; None where it shows nothing.

    Args:
        video: the file; it was readable before.
        views: in any order.
    """
    times_s = [np.linspace(each.start_s, each.end_s, CROPS_PER_STRIP) for each in views]
    crops: list[list[NDArray[np.uint8]]] = [[] for _ in views]
    reader = read_frames(
        VideoFile(video.stem, video),
        stop=threading.Event(),
        now=time.time,
        opened=lambda name, info: None,
    )
    with closing(reader) as frames:
        for frame in frames:
            if isinstance(frame, StreamEnd) or all(len(cut) == CROPS_PER_STRIP for cut in crops):
                break
            for view, due, cut in zip(views, times_s, crops, strict=True):
                while len(cut) < CROPS_PER_STRIP and frame.pts_s >= due[len(cut)] - 1e-6:
                    cut.append(_crop(frame, view))
    return [strip_of(cut) if cut else None for cut in crops]


def _crop(frame: Frame, view: VideoView) -> NDArray[np.uint8]:
    xyxy = view.person.at(np.array([frame.pts_s]))[0]
    return crop_person(frame.image, xyxy, size=SIZE, margin=MARGIN)
