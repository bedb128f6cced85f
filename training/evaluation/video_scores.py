"""Run detector, tracker, clip cutting and recognizer of the pipeline over a file, once."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.components import Components
from pipeline.errors import SourceError
from pipeline.sources.file_decoder import VideoInfo
from pipeline.sources.video_files import VideoFile, in_batches, read_frames
from pipeline.stages.clips import cut_clips, drop_pixels
from pipeline.stages.detection import detect_people
from pipeline.stages.recognition import SceneScorer, recognize_actions, recognize_scenes
from pipeline.stages.scene_clips import cut_scenes
from pipeline.stages.tracking import track_people
from pipeline.types import ClippedFrame, Prediction, RecognizedFrame, StreamEnd
from training.evaluation.track_scores import TrackScores, VideoScores
from training.metrics.event_matching import PersonPath

LONGEST_BATCH = 32  # frames; of an empty scene too it is told how far it is

Advance = Callable[[int, int], object]  # frames done, frames promised or 0


def score_video(
    path: Path,
    components: Components,
    *,
    stride_s: float,
    advance: Advance = lambda done, promised: None,
) -> VideoScores:
    """What the pipeline makes of a file, up to its decisions.

    The stages are those of `pipeline.app.replay`, one behind the other in this thread; what they
    compute does not depend on threads.

    Args:
        path: of the file.
        components: the models.
        stride_s: seconds between two clips of one person, `clip.stride_s` of the configuration.
        advance: told of every frame.

    Raises:
        SourceError: if the file cannot be read, or not to its end.
    """
    promised: list[int] = [0]

    def opened(camera_id: str, info: VideoInfo) -> None:
        promised[0] = info.frames

    seen = _Seen(path, components.labels)
    for item in _recognized(path, components, stride_s, opened):
        if isinstance(item, RecognizedFrame):
            seen.add(item)
            advance(len(seen.frame_pts_s), promised[0])
        elif item.error:
            raise SourceError(item.error)
    return seen.scores()


@dataclass(slots=True)
class _Seen:
    """What is kept of the frames of one video."""

    path: Path
    labels: tuple[str, ...]
    wh: tuple[int, int] = (0, 0)
    frame_pts_s: list[float] = field(default_factory=list)
    people: set[int] = field(default_factory=set)
    clips: dict[int, list[tuple[float, Prediction]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, item: RecognizedFrame) -> None:
        frame = item.tracked.frame
        self.frame_pts_s.append(frame.pts_s)
        self.wh = frame.wh
        self.people.update(person.track_id for person in item.tracked.people)
        for prediction in item.predictions:
            self.clips[prediction.track_id].append((frame.pts_s, prediction))

    def scores(self) -> VideoScores:
        tracks = tuple(_track(track_id, self.clips[track_id]) for track_id in sorted(self.clips))
        times = np.array(self.frame_pts_s)
        return VideoScores(self.path, self.labels, self.wh, times, len(self.people), tracks)


def _recognized(
    path: Path, components: Components, stride_s: float, opened: Callable[[str, VideoInfo], None]
) -> Iterator[RecognizedFrame | StreamEnd]:
    video = VideoFile(path.stem, path)
    frames = read_frames(video, stop=threading.Event(), now=time.time, opened=opened)
    detected = detect_people(
        in_batches(frames, components.detect_batch), components.detector, time.time
    )
    tracked = track_people(detected, components.new_tracker, time.time)
    cut = cut_scenes if isinstance(components.recognizer, SceneScorer) else cut_clips
    clipped = drop_pixels(cut(tracked, components.clip_spec, time.time, stride_s=stride_s))
    batches = _batches(clipped, components.recognize_batch)
    if isinstance(components.recognizer, SceneScorer):
        return recognize_scenes(batches, components.recognizer, time.time)
    return recognize_actions(batches, components.recognizer, time.time)


def _batches(
    items: Iterator[ClippedFrame | StreamEnd], clips: int
) -> Iterator[list[ClippedFrame | StreamEnd]]:
    """Lists of items with so many clips in them, or a few more; fewer where few people are."""
    batch: list[ClippedFrame | StreamEnd] = []
    waiting = 0
    for item in items:
        batch.append(item)
        if isinstance(item, ClippedFrame):
            waiting += len(item.clips) + (item.scene is not None)
        if waiting >= clips or len(batch) >= LONGEST_BATCH:
            yield batch
            batch, waiting = [], 0
    if batch:
        yield batch


def _track(track_id: int, clips: list[tuple[float, Prediction]]) -> TrackScores:
    path = PersonPath(
        np.array([pts_s for pts_s, _ in clips]), np.stack([clip.xyxy for _, clip in clips])
    )
    return TrackScores(track_id, path, np.stack([clip.scores for _, clip in clips]))
