"""Runs our detector and tracker, as configured, over a video, for the benchmarks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pipeline.decoder import VideoReader
from pipeline.detection import detect_people
from pipeline.parts import Parts
from pipeline.tracking import track_people
from pipeline.types import Frame, TrackedFrame

MotRow = tuple[float, int, float, float, float, float, float]  # as in a MOTChallenge file


def track_video(video: Path, parts: Parts) -> dict[int, list[MotRow]]:
    """Track every frame of a video.

    Returns:
        The rows of a MOTChallenge file by frame number from 1.
    """
    frames = ([frame] for frame in _frames(video))
    detected = detect_people(frames, parts.detector, time.time)
    tracked = track_people(detected, parts.new_tracker, time.time)
    return {
        item.frame.index + 1: _rows(item)
        for item in tracked
        if isinstance(item, TrackedFrame) and item.people
    }


def _frames(video: Path) -> Iterator[Frame]:
    with closing(VideoReader(video)) as reader:
        for index, picture in enumerate(reader.pictures()):
            yield Frame(video.stem, index, picture.pts_s, 0.0, picture.image, 0.0)


def _rows(item: TrackedFrame) -> list[MotRow]:
    return [
        (item.frame.index + 1, p.track_id, x1, y1, x2 - x1, y2 - y1, p.confidence)
        for p in item.people
        for x1, y1, x2, y2 in [p.xyxy.tolist()]
    ]
