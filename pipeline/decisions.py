"""The decision stage: recognized frames in, frames with the events decided at them out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pipeline.events import ActionEvent
from pipeline.track_decider import Change, DecisionPolicy, Moment, TrackDecider
from pipeline.types import DecidedEnd, DecidedFrame, RecognizedFrame, StreamEnd, TrackedFrame


@dataclass(frozen=True, slots=True)
class EventStamp:
    """What every event of a run carries alike."""

    run_id: str
    model: str
    wall_clock: bool  # False leaves out everything that depends on when the run took place


def decide_actions(
    items: Iterable[RecognizedFrame | StreamEnd],
    labels: Sequence[str],
    policy: DecisionPolicy,
    stamp: EventStamp,
    now: Callable[[], float],
) -> Generator[DecidedFrame | DecidedEnd, None, None]:
    """Decide what each person does; one item per item, in order.

    Args:
        items: frames of any number of cameras, each camera's in order.
        labels: the recognizer's classes in the order of its scores.
        policy: thresholds, durations, smoothing.
        stamp: what every event of this run carries.
        now: Unix seconds, for the latency of an event.
    """
    cameras: dict[str, _Camera] = {}
    for item in items:
        if isinstance(item, StreamEnd):
            camera = cameras.pop(item.camera_id, None)
            yield DecidedEnd(item, camera.finish() if camera else ())
        else:
            camera_id = item.tracked.frame.camera_id
            camera = cameras.setdefault(camera_id, _Camera(camera_id, labels, policy, stamp, now))
            yield DecidedFrame(item.tracked, camera.decide(item))


@dataclass(slots=True)
class _Camera:
    """The open actions and the sequence number of one camera."""

    camera_id: str
    labels: Sequence[str]
    policy: DecisionPolicy
    stamp: EventStamp
    now: Callable[[], float]
    seq: int = 0
    tracks: dict[int, TrackDecider] = field(default_factory=dict)
    newest: RecognizedFrame | None = None

    def decide(self, item: RecognizedFrame) -> tuple[ActionEvent, ...]:
        """What this frame's scores and lost tracks change."""
        self.newest = item
        frame = item.tracked.frame
        moment = Moment(frame.pts_s, frame.captured_at)
        changes = []
        for prediction in item.predictions:
            track = self.tracks.setdefault(
                prediction.track_id, TrackDecider(prediction.track_id, self.policy)
            )
            scores = dict(zip(self.labels, prediction.scores.tolist(), strict=True))
            changes += track.observe(scores, moment, prediction.xyxy)
        for track_id in item.tracked.ended:
            track_or_none = self.tracks.pop(track_id, None)
            if track_or_none is not None:
                changes += track_or_none.finish("track_ended")
        return self._events(changes, item)

    def finish(self) -> tuple[ActionEvent, ...]:
        """End everything that is open, because the camera has ended."""
        assert self.newest is not None
        changes = [c for track in self.tracks.values() for c in track.finish("stream_ended")]
        return self._events(changes, self.newest)

    def _events(self, changes: list[Change], item: RecognizedFrame) -> tuple[ActionEvent, ...]:
        if not changes:
            return ()
        latency_ms = _latency_ms(item, self.now()) if self.stamp.wall_clock else {}
        return tuple(self._event(change, item.tracked, latency_ms) for change in changes)

    def _event(
        self, change: Change, tracked: TrackedFrame, latency_ms: dict[str, float]
    ) -> ActionEvent:
        self.seq += 1
        origin = f"{self.stamp.run_id}/{self.camera_id}"
        return ActionEvent(
            kind=change.kind,
            event_id=f"{origin}/{self.seq}",
            instance_id=f"{origin}/{change.track_id}/{change.action}/{change.ordinal}",
            camera_id=self.camera_id,
            run_id=self.stamp.run_id,
            seq=self.seq,
            track_id=change.track_id,
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

    def _utc(self, moment: Moment) -> str | None:
        if not self.stamp.wall_clock:
            return None
        utc = datetime.fromtimestamp(moment.captured_at, UTC)
        return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _corners(change: Change) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (round(float(v), 1) for v in change.xyxy)
    return x1, y1, x2, y2


def _latency_ms(item: RecognizedFrame, decided_at: float) -> dict[str, float]:
    """Milliseconds from one stage's end to the next one's, queues included, and in all."""
    tracked = item.tracked
    stamps = {
        "detect": (tracked.frame.captured_at, tracked.detected_at),
        "track": (tracked.detected_at, tracked.tracked_at),
        "recognize": (tracked.tracked_at, item.recognized_at),
        "decide": (item.recognized_at, decided_at),
        "total": (tracked.frame.captured_at, decided_at),
    }
    return {stage: round(1e3 * (end - start), 1) for stage, (start, end) in stamps.items()}
