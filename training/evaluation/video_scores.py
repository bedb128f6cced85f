"""Run detector, tracker, clip cutting and recognizer of the pipeline over a file, once."""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from pipeline.stages.clips import drop_pixels
from pipeline.stages.detection import detect_people
from pipeline.stages.group_clips import cut_subjects
from pipeline.stages.reattachment import reattach_tracks
from pipeline.stages.recognition import SceneScorer, recognize_actions, recognize_scenes
from pipeline.stages.scene_clips import cut_scenes
from pipeline.stages.subject_decider import Change, DecisionPolicy, SubjectDecider, Timestamp
from pipeline.stages.tracking import track_people
from pipeline.types import (
    ClippedFrame,
    Prediction,
    RecognizedFrame,
    StreamEnd,
    Subject,
    SubjectKey,
)
from training.crops.clip_choice import MAX_GAP_S
from training.crops.person_tracks import PersonPath
from training.labels.samples import Sample
from training.metrics.event_matching import FoundEvent

GAP_STEPS = 3  # usual distances of frames; as `pipeline.sources.interruptions` ends tracks

LONGEST_BATCH = 32  # frames; an empty scene reports its progress too

Advance = Callable[[int, int], object]  # frames done, frames promised or 0


@dataclass(frozen=True, slots=True, eq=False)
class SubjectScores:
    """Scores of one tracked person or group, clip after clip."""

    subject: Subject  # a group with everyone who was a member at the end of one of its clips
    path: PersonPath  # at the newest frame of each of the N clips; of a group: around it
    scores: FloatArray  # float32 (N, num_classes)
    members: tuple[PersonPath, ...] = ()  # of a group, in the order of `subject.members`

    @property
    def people(self) -> tuple[PersonPath, ...]:
        """Where everyone is whose actions these are."""
        return self.members or (self.path,)


@dataclass(frozen=True, slots=True, eq=False)
class VideoScores:
    """One video, seen by the pipeline up to its decisions."""

    path: Path
    labels: tuple[str, ...]  # of the scores, in order
    wh: tuple[int, int]  # pixels
    frame_pts_s: NDArray[np.float64]  # (F,) of every frame
    people: int  # tracks that were seen, with clips or without
    subjects: tuple[SubjectScores, ...]  # persons, then groups, of which there are clips

    @property
    def duration_s(self) -> float:
        """Seconds until the end of the last frame."""
        if len(self.frame_pts_s) < 2:
            return 0.0
        first, last = float(self.frame_pts_s[0]), float(self.frame_pts_s[-1])
        return last + (last - first) / (len(self.frame_pts_s) - 1)

    @property
    def watched_s(self) -> float:
        """Seconds of video: the duration without interruptions in which the camera saw nothing."""
        if len(self.frame_pts_s) < 2:
            return 0.0
        steps = np.diff(self.frame_pts_s)
        usual = float(np.median(steps))
        is_gap = steps > max(MAX_GAP_S, GAP_STEPS * usual)
        return float(np.where(is_gap, usual, steps).sum()) + usual


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

    seen = SeenVideo(path, components.labels)
    for item in _recognized(path, components, stride_s, opened):
        if isinstance(item, RecognizedFrame):
            seen.add(item)
            advance(len(seen.frame_pts_s), promised[0])
        elif item.error:
            raise SourceError(item.error)
    return seen.scores()


def stretch_s(sample: Sample, duration_s: float) -> float:
    """Return how long a sample's stretch of a video of this length is, in seconds."""
    end_s = duration_s if sample.end_s is None else min(sample.end_s, duration_s)
    return max(0.0, end_s - (sample.start_s or 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class _SeenClip:
    pts_s: float  # of its newest frame
    prediction: Prediction
    members: Mapping[int, FloatArray]  # boxes of a group's members who are seen in that frame


@dataclass(slots=True)
class SeenVideo:
    """What is kept of the frames of one video."""

    path: Path
    labels: tuple[str, ...]
    wh: tuple[int, int] = (0, 0)
    frame_pts_s: list[float] = field(default_factory=list)
    people: set[int] = field(default_factory=set)
    clips: dict[SubjectKey, list[_SeenClip]] = field(default_factory=lambda: defaultdict(list))

    def add(self, item: RecognizedFrame) -> None:
        """Take the next frame."""
        frame = item.tracked.frame
        self.frame_pts_s.append(frame.pts_s)
        self.wh = frame.wh
        self.people.update(person.track_id for person in item.tracked.people)
        boxes = {person.track_id: person.xyxy for person in item.tracked.people}
        for prediction in item.predictions:
            members = prediction.subject.members
            where = {one: boxes[one] for one in members if one in boxes}
            self.clips[prediction.subject.key].append(_SeenClip(frame.pts_s, prediction, where))

    def scores(self) -> VideoScores:
        """Return the scores of everyone in the frames so far."""
        persons_first = sorted(self.clips, key=lambda key: (key[0] == "group", key[1]))
        subjects = tuple(_subject_scores(self.clips[key]) for key in persons_first)
        times = np.array(self.frame_pts_s)
        return VideoScores(self.path, self.labels, self.wh, times, len(self.people), subjects)


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
    people = reattach_tracks(tracked, components.reattach)
    spec = components.clip_spec
    if isinstance(components.recognizer, SceneScorer):
        cut = cut_scenes(people, spec, time.time, stride_s=stride_s)
    else:
        cut = cut_subjects(people, spec, components.group_spec, time.time, stride_s=stride_s)
    batches = _batches(drop_pixels(cut), components.recognize_batch)
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


def _subject_scores(clips: Sequence[_SeenClip]) -> SubjectScores:
    times = np.array([clip.pts_s for clip in clips])
    path = PersonPath(times, np.stack([clip.prediction.xyxy for clip in clips]))
    scores = np.stack([clip.prediction.scores for clip in clips])
    subject = clips[0].prediction.subject
    if subject.kind == "person":
        return SubjectScores(subject, path, scores)
    seen = sorted({one for clip in clips for one in clip.members})
    members = tuple(_member_path(clips, one) for one in seen)
    return SubjectScores(replace(subject, members=tuple(seen)), path, scores, members)


def _member_path(clips: Sequence[_SeenClip], track_id: int) -> PersonPath:
    there = [clip for clip in clips if track_id in clip.members]
    boxes = np.stack([clip.members[track_id] for clip in there])
    return PersonPath(np.array([clip.pts_s for clip in there]), boxes)


def decide_events(
    subjects: Sequence[SubjectScores], labels: Sequence[str], policy: DecisionPolicy
) -> list[FoundEvent]:
    """Run the pipeline's own decisions over scores that are there already.

    Args:
        subjects: the people and groups of one video.
        labels: of the scores, in order.
        policy: its rules name the actions that are decided.

    Returns:
        Events by subject, in the order in which they ended.
    """
    quiet = replace(policy, update_interval_s=math.inf)  # only starts and ends matter here
    return [event for one in subjects for event in _events_of(one, labels, quiet)]


def _events_of(
    mine: SubjectScores, labels: Sequence[str], policy: DecisionPolicy
) -> list[FoundEvent]:
    policy = policy.of(mine.subject.kind)
    names = tuple(policy.rules)
    rows = mine.scores[:, [labels.index(name) for name in names]].tolist()
    decider = SubjectDecider(mine.subject, policy)
    decided_s: dict[tuple[str, int], float] = {}
    events = []

    def take(changes: Sequence[Change]) -> None:
        for change in changes:
            key = change.action, change.ordinal
            if change.kind == "start":
                decided_s[key] = change.end.pts_s
            else:
                events.append(_event(change, decided_s[key], mine))

    for pts_s, xyxy, row in zip(mine.path.pts_s.tolist(), mine.path.xyxy, rows, strict=True):
        scores = dict(zip(names, row, strict=True))
        take(decider.observe(scores, Timestamp(pts_s, pts_s), xyxy))
    take(decider.finish("track_ended"))
    return events


def _event(change: Change, decided_s: float, mine: SubjectScores) -> FoundEvent:
    return FoundEvent(
        action=change.action,
        subject=mine.subject,
        start_s=change.start.pts_s,
        end_s=change.end.pts_s,
        decided_s=decided_s,
        peak_score=change.peak_score,
        path=mine.path,
        members=mine.members,
    )
