"""The decision stage: turn scores into events, which get their numbers later."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from pipeline.events import (
    UNNUMBERED,
    ActionEvent,
    CameraEvent,
    CameraEventKind,
    DownReason,
    EndReason,
)
from pipeline.stages.score_fusion import ScoreFusion
from pipeline.stages.subject_decider import Change, DecisionPolicy, SubjectDecider, Timestamp
from pipeline.time_text import format_utc
from pipeline.types import (
    BestScore,
    DecidedEnd,
    DecidedFrame,
    Prediction,
    RecognizedFrame,
    StreamEnd,
    Subject,
    SubjectKey,
    SubjectKind,
    TrackedFrame,
)


@dataclass(frozen=True, slots=True)
class EventStamp:
    """Fields that all events of a run share."""

    run_id: str
    model: str
    wall_clock: bool  # False: omit all UTC times and latencies


def decide_actions(
    items: Iterable[RecognizedFrame | StreamEnd],
    labels: Sequence[str],
    policy_of: Callable[[str], DecisionPolicy],
    stamp: EventStamp,
    now: Callable[[], float],
) -> Generator[DecidedFrame | DecidedEnd, None, None]:
    """Decide which actions start, continue and end.

    Args:
        items: frames of any number of cameras, each camera's in order.
        labels: the classes of a prediction that does not name its own, in the order of its scores.
        policy_of: thresholds, durations and smoothing of a camera now, by its id. Another one
            than before ends the actions that it does not have, and judges all others from then on.
        stamp: fields that all events of the run share.
        now: Unix seconds, for the latency of an event.

    Yields:
        One item per item, in order; its events are unnumbered, see `number_events`.
    """
    cameras: dict[str, CameraDecisions] = {}
    for item in items:
        camera_id = item.camera_id if isinstance(item, StreamEnd) else item.tracked.frame.camera_id
        policy = policy_of(camera_id)
        camera = cameras.get(camera_id)
        if camera is None:  # kept after its end: whether it was reported as down already
            camera = cameras[camera_id] = CameraDecisions(camera_id, labels, policy, stamp, now)
        if isinstance(item, StreamEnd):
            yield camera.finish(item)
        else:
            yield camera.decide(item, policy)


@dataclass(slots=True)
class CameraDecisions:
    """The open actions of one camera."""

    camera_id: str
    labels: Sequence[str]
    policy: DecisionPolicy
    stamp: EventStamp
    now: Callable[[], float]
    subjects: dict[SubjectKey, SubjectDecider] = field(default_factory=dict)
    newest: RecognizedFrame | None = None  # None: the camera is down
    down_reported: bool = False
    _fusions: dict[SubjectKey, ScoreFusion] = field(default_factory=dict)
    _track_ids: dict[int, tuple[int, ...]] = field(default_factory=dict)  # of who had several
    _policies: dict[SubjectKind, DecisionPolicy] = field(init=False)

    def __post_init__(self) -> None:
        self._policies = _policies(self.policy)

    def decide(self, item: RecognizedFrame, policy: DecisionPolicy | None = None) -> DecidedFrame:
        """Return the frame with the events decided at it; the first one reports `camera_up`.

        Args:
            item: the frame.
            policy: that holds now; None: as before.
        """
        frame = item.tracked.frame
        timestamp = Timestamp(frame.pts_s, frame.seen_at)
        up = (self._camera_event("camera_up", timestamp),) if self.newest is None else ()
        self.newest, self.down_reported = item, False
        self._track_ids |= {
            one.track_id: one.track_ids for one in item.tracked.people if one.track_ids
        }
        changes = [] if policy is None or policy is self.policy else self._change_to(policy)
        best = None
        for prediction, scores in self._fused(item.predictions, frame.pts_s):
            subject, policy = prediction.subject, self._policies[prediction.subject.kind]
            decider = self.subjects.setdefault(subject.key, SubjectDecider(subject, policy))
            changes += decider.observe(scores, timestamp, prediction.xyxy, subject.members)
            best = _best(scores, policy, best)
        for track_id in item.tracked.ended:
            changes += self._finish(("person", track_id), "track_ended")
        for group_id in item.tracked.ended_groups:
            changes += self._finish(("group", group_id), "group_ended")
        latency_s = {}
        if self.stamp.wall_clock and (item.predictions or changes):
            latency_s = _latency_s(item, self.now())
        events = up + self._events(changes, item, latency_s)
        for track_id in item.tracked.ended:
            self._track_ids.pop(track_id, None)
        clips = len(item.predictions)
        return DecidedFrame(item.tracked, events, latency_s, item.unscored, clips, best)

    def finish(self, end: StreamEnd) -> DecidedEnd:
        """End all open actions and report `camera_down`, even if a live camera was never up."""
        if self.newest is None:
            if end.at is None or self.down_reported:
                return DecidedEnd(end, ())
            ends: tuple[ActionEvent, ...] = ()
            last = Timestamp(0.0, end.at)
        else:
            ended: EndReason = "stream_ended" if end.at is None else "camera_down"
            changes = [c for one in self.subjects.values() for c in one.finish(ended)]
            latency_s = _latency_s(self.newest, self.now()) if self.stamp.wall_clock else {}
            ends = self._events(changes, self.newest, latency_s)
            frame = self.newest.tracked.frame
            last = Timestamp(frame.pts_s, frame.seen_at)
        self.newest, self.down_reported = None, True
        self.subjects.clear()
        self._fusions.clear()
        self._track_ids.clear()
        return DecidedEnd(end, (*ends, self._camera_event("camera_down", last, end.reason)))

    def _change_to(self, policy: DecisionPolicy) -> list[Change]:
        """Judge by another policy from now on; return the ends of what it does not have."""
        self.policy, self._policies = policy, _policies(policy)
        return [
            change
            for (kind, _), decider in self.subjects.items()
            for change in decider.change_to(self._policies[kind])
        ]

    def _fused(
        self, predictions: Sequence[Prediction], pts_s: float
    ) -> list[tuple[Prediction, dict[str, float]]]:
        """Return one prediction per subject, with the scores of all recognizers fused by label."""
        newest: dict[SubjectKey, Prediction] = {}
        changed: dict[SubjectKey, dict[str, None]] = {}  # labels in order
        for one in predictions:
            labels = self.labels if one.labels is None else one.labels
            scores = dict(zip(labels, one.scores.tolist(), strict=True))
            fusion = self._fusions.setdefault(one.subject.key, ScoreFusion(self.policy.fresh_s))
            fusion.add(one.recognizer, pts_s, scores)
            newest[one.subject.key] = one
            changed.setdefault(one.subject.key, {}).update(dict.fromkeys(labels))
        return [
            (one, self._fusions[key].scores(tuple(changed[key]), pts_s))
            for key, one in newest.items()
        ]

    def _finish(self, key: SubjectKey, reason: EndReason) -> list[Change]:
        self._fusions.pop(key, None)
        decider = self.subjects.pop(key, None)
        return [] if decider is None else decider.finish(reason)

    def _camera_event(
        self, kind: CameraEventKind, at: Timestamp, reason: DownReason | None = None
    ) -> CameraEvent:
        return CameraEvent(
            kind=kind,
            event_id="",
            camera_id=self.camera_id,
            run_id=self.stamp.run_id,
            seq=UNNUMBERED,
            pts_s=round(at.pts_s, 3),
            time=self._utc(at),
            reason=reason,
        )

    def _events(
        self, changes: list[Change], item: RecognizedFrame, latency_s: dict[str, float]
    ) -> tuple[ActionEvent, ...]:
        latency_ms = {stage: round(1e3 * seconds, 1) for stage, seconds in latency_s.items()}
        return tuple(self._event(change, item.tracked, latency_ms) for change in changes)

    def _event(
        self, change: Change, tracked: TrackedFrame, latency_ms: dict[str, float]
    ) -> ActionEvent:
        origin, subject = f"{self.stamp.run_id}/{self.camera_id}", change.subject
        track_ids = self._ids_of(subject.id) if subject.kind == "person" else ()
        return ActionEvent(
            kind=change.kind,
            event_id="",
            instance_id=f"{origin}/{_name(subject)}/{change.action}/{change.ordinal}",
            camera_id=self.camera_id,
            run_id=self.stamp.run_id,
            seq=UNNUMBERED,
            track_id=track_ids[-1] if track_ids else None,
            track_ids=track_ids,
            group_id=subject.id if subject.kind == "group" else None,
            members=tuple(sorted(self._ids_of(one)[-1] for one in subject.members)),
            action=change.action,
            score=round(change.score, 4),
            peak_score=round(change.peak_score, 4),
            start_pts_s=round(change.start.pts_s, 3),
            end_pts_s=round(change.end.pts_s, 3),
            start_time=self._utc(change.start),
            end_time=self._utc(change.end),
            frame_index=tracked.frame.index,
            xyxy=_corners(change),
            frame_wh=tracked.frame.wh,
            model=self.stamp.model,
            end_reason=change.reason,
            latency_ms=latency_ms,
        )

    def _ids_of(self, track_id: int) -> tuple[int, ...]:
        """Return all ids that a person had, the newest last."""
        return self._track_ids.get(track_id, (track_id,))

    def _utc(self, timestamp: Timestamp) -> str | None:
        if not self.stamp.wall_clock:
            return None
        return format_utc(timestamp.captured_at)


def _policies(policy: DecisionPolicy) -> dict[SubjectKind, DecisionPolicy]:
    kinds: tuple[SubjectKind, ...] = get_args(SubjectKind)
    return {kind: policy.of(kind) for kind in kinds}


def _best(
    scores: Mapping[str, float], policy: DecisionPolicy, best: BestScore | None
) -> BestScore | None:
    rules = policy.rules
    scored = [label for label in rules if label in scores]
    action = max(scored, key=lambda label: scores[label], default=None)
    if action is None or (best is not None and scores[action] <= best.score):
        return best
    return BestScore(action, scores[action], rules[action].start_threshold)


def _name(subject: Subject) -> str:
    """Return what names the subject in the id of an instance."""
    return str(subject.id) if subject.kind == "person" else f"group-{subject.id}"


def _corners(change: Change) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (round(float(v), 1) for v in change.xyxy)
    return x1, y1, x2, y2


def _latency_s(item: RecognizedFrame, decided_at: float) -> dict[str, float]:
    """Return the seconds between the ends of consecutive stages, queues included, and the total."""
    tracked, captured_at = item.tracked, item.tracked.frame.captured_at
    stamps = {
        "decode": tracked.frame.decoded_at,
        "detect": tracked.detected_at,
        "track": tracked.tracked_at,
        "clip": item.clipped_at,
        "recognize": item.recognized_at,
        "decide": decided_at,
    }
    starts = (captured_at, *stamps.values())
    spans = (end - start for start, end in zip(starts, stamps.values(), strict=False))
    return dict(zip(stamps, spans, strict=True)) | {"total": decided_at - captured_at}
