"""Pictures of what was got wrong."""

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

MOST_PICTURES = 60
PICTURES = 4  # per strip
SIZE = 112  # pixels, each
MARGIN = 0.25
JPEG_QUALITY = 80


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


def strip_of(crops: Sequence[NDArray[np.uint8]]) -> bytes:
    """JPEG of some of the crops side by side, evenly spread.

    Args:
        crops: uint8 (S, S, 3) BGR, at least one.
    """
    chosen = np.linspace(0, len(crops) - 1, PICTURES).round().astype(int)
    small = [cv2.resize(crops[n], (SIZE, SIZE), interpolation=cv2.INTER_AREA) for n in chosen]
    done, data = cv2.imencode(".jpg", np.hstack(small), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done
    return data.tobytes()


def video_strips(video: Path, views: Sequence[VideoView]) -> list[bytes | None]:
    """Read a video once and cut a strip for every view; None where it shows nothing.

    Args:
        video: the file; it was readable before.
        views: in any order.
    """
    moments = [np.linspace(each.start_s, each.end_s, PICTURES) for each in views]
    crops: list[list[NDArray[np.uint8]]] = [[] for _ in views]
    reader = read_frames(
        VideoFile(video.stem, video),
        stop=threading.Event(),
        now=time.time,
        opened=lambda name, info: None,
    )
    with closing(reader) as frames:
        for frame in frames:
            if isinstance(frame, StreamEnd) or all(len(cut) == PICTURES for cut in crops):
                break
            for view, due, cut in zip(views, moments, crops, strict=True):
                while len(cut) < PICTURES and frame.pts_s >= due[len(cut)] - 1e-6:
                    cut.append(_crop(frame, view))
    return [strip_of(cut) if cut else None for cut in crops]


def _crop(frame: Frame, view: VideoView) -> NDArray[np.uint8]:
    xyxy = view.person.at(np.array([frame.pts_s]))[0]
    return crop_person(frame.image, xyxy, size=SIZE, margin=MARGIN)
