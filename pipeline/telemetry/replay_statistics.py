"""Count what a replay read, found and recognized, per camera."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipeline.events import ActionEvent, AlarmEvent
from pipeline.sources.file_decoder import VideoInfo
from pipeline.types import BestScore, DecidedEnd, DecidedFrame

_MAX_STEPS = 1000  # they tell the rate of a recording


@dataclass(slots=True)
class CameraStatistics:
    """What was counted of one camera."""

    frames: int = 0
    expected_frames: int = 0  # 0: unknown
    pts_s: float = 0.0  # media time reached
    # First and last media time of every track id, seconds.
    people: dict[int, tuple[float, float]] = field(default_factory=dict)
    actions: Counter[str] = field(default_factory=Counter)  # actions started, by name
    alarms: Counter[str] = field(default_factory=Counter)  # alarms started, by rule
    clips: int = 0  # that were scored
    best: BestScore | None = None
    steps_s: list[float] = field(default_factory=list)  # between the first frames
    unscored: int = 0  # clips whose scores were not finite
    ended: bool = False
    stopped: bool = False  # before its end, by a shutdown
    error: str | None = None


@dataclass(slots=True)
class ReplayStatistics:
    """What was counted of all cameras, in the order in which they appeared; a sink."""

    cameras: dict[str, CameraStatistics] = field(default_factory=dict)

    def expect(self, camera_id: str, info: VideoInfo) -> None:
        """Add the number of frames that a camera's next file is expected to have."""
        expected = info.frames or round(info.duration_s * info.fps)
        self._camera(camera_id).expected_frames += expected

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Count an item."""
        camera = self._camera(item.camera_id)
        if isinstance(item, DecidedEnd):
            camera.ended, camera.stopped = item.end.is_final, item.end.reason == "stopped"
            camera.error = item.end.error
        else:
            frame = item.tracked.frame
            camera.frames += 1
            if camera.frames > 1 and len(camera.steps_s) < _MAX_STEPS:
                camera.steps_s.append(frame.pts_s - camera.pts_s)
            camera.pts_s = frame.pts_s
            for person in item.tracked.people:
                first_s, _ = camera.people.get(person.track_id, (frame.pts_s, 0.0))
                camera.people[person.track_id] = first_s, frame.pts_s
            camera.clips += item.clips
            camera.unscored += item.unscored
            if item.best and (camera.best is None or item.best.score > camera.best.score):
                camera.best = item.best
        actions = [event for event in item.events if isinstance(event, ActionEvent)]
        camera.actions.update(event.action for event in actions if event.kind == "start")
        alarms = [event for event in item.events if isinstance(event, AlarmEvent)]
        camera.alarms.update(event.rule for event in alarms if event.phase == "start")

    def close(self) -> None:
        """Do nothing: the numbers stay readable."""

    @property
    def frames(self) -> int:
        """Processed frames of all cameras."""
        return sum(camera.frames for camera in self.cameras.values())

    @property
    def errors(self) -> list[str]:
        """One text per camera that failed, with the path of its file."""
        return [camera.error for camera in self.cameras.values() if camera.error]

    def _camera(self, camera_id: str) -> CameraStatistics:
        return self.cameras.setdefault(camera_id, CameraStatistics())
