"""Run detector, tracker, clip cutting and recognizer of the pipeline over a file, once."""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from pipeline.components import Components
from pipeline.errors import SourceError
from pipeline.sources.file_decoder import VideoInfo
from pipeline.sources.interruptions import end_at_interruptions
from pipeline.sources.video_files import VideoFile, in_batches, read_frames
from pipeline.stages.clips import cut_clips, drop_pixels
from pipeline.stages.detection import detect_people
from pipeline.stages.recognition import SceneScorer, recognize_actions, recognize_scenes
from pipeline.stages.scene_clips import cut_scenes
from pipeline.stages.track_decider import Change, DecisionPolicy, Timestamp, TrackDecider
from pipeline.stages.tracking import track_people
from pipeline.types import ClippedFrame, Prediction, RecognizedFrame, StreamEnd
from training.crops.person_tracks import PersonPath
from training.metrics.event_matching import FoundEvent

LONGEST_BATCH = 32  # frames; an empty scene reports its progress too

Advance = Callable[[int, int], object]  # frames done, frames promised or 0


@dataclass(frozen=True, slots=True, eq=False)
class TrackScores:
    """Scores of one tracked person, clip after clip."""

    track_id: int
    path: PersonPath  # at the newest frame of each of the N clips
    scores: FloatArray  # float32 (N, num_classes)


@dataclass(frozen=True, slots=True, eq=False)
class VideoScores:
    """One video, seen by the pipeline up to its decisions."""

    path: Path
    labels: tuple[str, ...]  # of the scores, in order
    wh: tuple[int, int]  # pixels
    frame_pts_s: NDArray[np.float64]  # (F,) of every frame
    people: int  # tracks that were seen, with clips or without
    tracks: tuple[TrackScores, ...]  # those of which there are clips

    @property
    def duration_s(self) -> float:
        """Seconds until the end of the last frame."""
        if len(self.frame_pts_s) < 2:
            return 0.0
        first, last = float(self.frame_pts_s[0]), float(self.frame_pts_s[-1])
        return last + (last - first) / (len(self.frame_pts_s) - 1)


def score_video(
    path: Path,
    components: Components,
    *,
    stride_s: float,
    advance: Advance = lambda done, promised: None,
) -> VideoScores:
    """Run the pipeline over a file, up to its decisions.

    The stages are those of `pipeline.app.replay`, one behind the other in this thread; what they
    compute does not depend on threads.

    Args:
        path: of the file.
        components: the models.
        stride_s: seconds between two clips of one person, `clip.stride_s` of the configuration.
        advance: called for every frame with frames done and frames promised.

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
    whole = read_frames(video, stop=threading.Event(), now=time.time, opened=opened)
    frames = end_at_interruptions(whole, components.clip_spec.max_gap_s)
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
    """Group items until a list holds `clips` clips or LONGEST_BATCH frames."""
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


def decide_events(
    tracks: Sequence[TrackScores], labels: Sequence[str], policy: DecisionPolicy
) -> list[FoundEvent]:
    """Run the pipeline's own decisions over scores that are there already.

    Args:
        tracks: the people of one video.
        labels: of the scores, in order.
        policy: its rules name the actions that are decided.

    Returns:
        Events by track, in the order in which they ended.
    """
    quiet = replace(policy, update_interval_s=math.inf)  # only starts and ends matter here
    used = [labels.index(action) for action in policy.rules]
    names = tuple(policy.rules)
    return [event for track in tracks for event in _events_of(track, names, used, quiet)]


def _events_of(
    track: TrackScores, names: Sequence[str], used: Sequence[int], policy: DecisionPolicy
) -> list[FoundEvent]:
    decider = TrackDecider(track.track_id, policy)
    rows = track.scores[:, used].tolist()
    decided_s: dict[tuple[str, int], float] = {}
    events = []

    def take(changes: Sequence[Change]) -> None:
        for change in changes:
            key = change.action, change.ordinal
            if change.kind == "start":
                decided_s[key] = change.end.pts_s
            else:
                events.append(_event(change, decided_s[key], track.path))

    for pts_s, xyxy, row in zip(track.path.pts_s.tolist(), track.path.xyxy, rows, strict=True):
        scores = dict(zip(names, row, strict=True))
        take(decider.observe(scores, Timestamp(pts_s, pts_s), xyxy))
    take(decider.finish("track_ended"))
    return events


def _event(change: Change, decided_s: float, path: PersonPath) -> FoundEvent:
    return FoundEvent(
        action=change.action,
        track_id=change.track_id,
        start_s=change.start.pts_s,
        end_s=change.end.pts_s,
        decided_s=decided_s,
        peak_score=change.peak_score,
        path=path,
    )
