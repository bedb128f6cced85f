"""Pictures to look at: a few crops of one person over a stretch of time, side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.sources.video_files import VideoFile, read_frames
from pipeline.stages.clip_sampling import crop_person
from pipeline.types import Frame, StreamEnd
from training.evaluation.scored_clip import VideoView

PICTURES = 4  # per strip
SIZE = 112  # pixels, each
MARGIN = 0.25
JPEG_QUALITY = 80


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
