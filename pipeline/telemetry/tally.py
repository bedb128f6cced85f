"""What has happened so far in a run, counted per camera."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipeline.events import ActionEvent
from pipeline.sources.file_decoder import VideoInfo
from pipeline.types import DecidedEnd, DecidedFrame


@dataclass(slots=True)
class CameraStatistics:
    """One camera's numbers."""

    frames: int = 0
    expected_frames: int = 0  # 0 while unknown
    pts_s: float = 0.0  # media time reached
    people: set[int] = field(default_factory=set)  # track ids seen
    actions: Counter[str] = field(default_factory=Counter)  # actions started, by name
    events: int = 0  # of actions
    ended: bool = False
    stopped: bool = False  # before its end, because the run was asked to
    error: str | None = None


@dataclass(slots=True)
class ReplayStatistics:
    """All cameras' numbers, in the order in which the cameras appeared."""

    cameras: dict[str, CameraStatistics] = field(default_factory=dict)

    def expect(self, camera_id: str, info: VideoInfo) -> None:
        """Note how many frames a camera's file promises."""
        promised = info.frames or round(info.duration_s * info.fps)
        self._camera(camera_id).expected_frames = promised

    def count(self, item: DecidedFrame | DecidedEnd) -> None:
        """Add one item of the pipeline's end."""
        camera = self._camera(item.camera_id)
        if isinstance(item, DecidedEnd):
            camera.ended, camera.stopped = True, item.end.reason == "stopped"
            camera.error = item.end.error
        else:
            frame = item.tracked.frame
            camera.frames += 1
            camera.pts_s = frame.pts_s
            camera.people.update(person.track_id for person in item.tracked.people)
        actions = [event for event in item.events if isinstance(event, ActionEvent)]
        camera.events += len(actions)
        camera.actions.update(event.action for event in actions if event.kind == "start")

    @property
    def frames(self) -> int:
        """Frames of all cameras that are through."""
        return sum(camera.frames for camera in self.cameras.values())

    @property
    def errors(self) -> list[str]:
        """What went wrong, one text per camera that failed."""
        return [camera.error for camera in self.cameras.values() if camera.error]

    def _camera(self, camera_id: str) -> CameraStatistics:
        return self.cameras.setdefault(camera_id, CameraStatistics())
