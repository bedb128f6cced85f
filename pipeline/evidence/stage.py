"""The evidence stage: snapshots and clips of chosen alarms and actions, announced by events.

decided frame > [snapshot written, or waited for a little] > the frame, with the events of evidence
that can be read by now
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace

from pipeline.events import ActionEvent, AlarmEvent, CameraEvent, Event, EvidenceEvent
from pipeline.evidence.announcing import Unannounced, announce, wait_for
from pipeline.evidence.clip_file import Hiding
from pipeline.evidence.files import evidence_path
from pipeline.evidence.frame_store import FrameStore
from pipeline.evidence.hiding import Hidden, PeopleAt
from pipeline.evidence.shown import (
    Choice,
    Shown,
    boxes_of_others,
    caption_of,
    is_one_of,
    label_people,
    people_of,
)
from pipeline.evidence.snapshot import EvidenceSnapshot
from pipeline.evidence.videos import ClipVideos
from pipeline.evidence.writer import ClipToWrite, EvidenceWriter, SnapshotToWrite
from pipeline.types import DecidedEnd, DecidedFrame, TrackedPerson

# What began longer before its decision is shown from there on: an alarm of a person who stays for
# ten minutes is not shown for ten minutes.
LONGEST_BEFORE_DECISION_S = 10.0
HELD_BEYOND_S = 5.0  # of encoded video, for frames that wait for the networks
_END_WAIT_S = 10.0  # at the end of a live run, for all that is being written
_LEFT_WAIT_S = 0.3  # for a camera that leaves a run while others continue
_LOST_WAIT_S = 3.0  # for a camera that is lost while no other one sends anything
# A processed frame hides people in the frames so long around it: a lost track is found again by
# then, or its person has left.
_HIDDEN_FOR_S = 0.5


@dataclass(frozen=True, slots=True)
class EvidencePlan:
    """What is kept."""

    choice: Choice
    snapshot: bool
    clip: bool
    before_s: float
    after_s: float
    longest_s: float
    hidden: Hidden | None
    snapshot_wait_s: float | None  # longest wait for a snapshot; None: until it is written

    @property
    def held_s(self) -> float:
        """How long encoded video has to be held before a clip is opened, seconds."""
        return self.before_s + LONGEST_BEFORE_DECISION_S + HELD_BEYOND_S


@dataclass(slots=True)
class _OpenClip:
    """A clip whose end is not reached."""

    shown: Shown
    run_id: str
    number: int  # in its camera's video
    start_s: float
    end_s: float  # at the latest
    people: set[int]  # track ids of those in question


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """The people in a processed frame."""

    pts_s: float
    people: tuple[TrackedPerson, ...]


@dataclass(slots=True)
class _Camera:
    """What is kept of one camera now."""

    clips: dict[str, _OpenClip] = field(default_factory=dict)  # by what they show
    unannounced: list[Unannounced] = field(default_factory=list)
    alarms: set[str] = field(default_factory=set)  # open ones
    snapshots: dict[str, str] = field(default_factory=dict)  # path by open alarm
    seen: deque[_Seen] = field(default_factory=deque)  # of the last seconds, if people are hidden
    newest_s: float = 0.0


def keep_evidence(
    items: Iterable[DecidedFrame | DecidedEnd], keeper: EvidenceKeeper
) -> Generator[DecidedFrame | DecidedEnd, None, None]:
    """Keep the evidence of what was decided, and announce what can be read.

    Args:
        items: of any number of cameras, each camera's in order; their events are unnumbered.
        keeper: what is kept, and where.

    Yields:
        One item per item, in order, with further unnumbered events; those of a lost camera come
        with the items of others.
    """
    try:
        for item in items:
            yield keeper.process(item)
    finally:
        keeper.close()


class EvidenceKeeper:
    """The evidence of a run, for one thread.

    Args:
        plan: what is kept.
        writer: writes it.
        images: of the frames that are decided on.
        videos: what clips are cut from.
        stopping: set while a live run ends.
        hurry: set when nothing is to be waited for.
    """

    def __init__(
        self,
        plan: EvidencePlan,
        writer: EvidenceWriter,
        images: FrameStore,
        videos: ClipVideos,
        stopping: threading.Event,
        hurry: threading.Event,
    ) -> None:
        self._plan, self._writer, self._images = plan, writer, images
        self._videos, self._stopping, self._hurry = videos, stopping, hurry
        self._cameras: dict[str, _Camera] = {}
        self._running: set[str] = set()  # cameras that were not ended for good
        self._up: set[str] = set()  # those of them whose newest item is a frame
        self._end_wait_s = _END_WAIT_S

    def process(self, item: DecidedFrame | DecidedEnd) -> DecidedFrame | DecidedEnd:
        """Return the item with its snapshots named and the events of what can be read by now."""
        camera = self._cameras.setdefault(item.camera_id, _Camera())
        if isinstance(item, DecidedEnd):
            return self._end(item, camera)
        self._running.add(item.camera_id)
        self._up.add(item.camera_id)
        frame = item.tracked.frame
        camera.newest_s = frame.pts_s
        image = self._images.take(item.camera_id, frame.index)
        if self._plan.hidden is not None:
            self._remember(camera, item)
        begun = [
            (event, shown)
            for event in item.events
            if (shown := self._note(event, camera, item)) is not None
        ]
        if begun and self._plan.snapshot:
            if image is None:
                self._writer.missed("snapshot", item.camera_id, "its frame is gone from memory")
            else:
                shot = replace(item.tracked.frame, image=image)
                self._take_snapshots(
                    begun, replace(item, tracked=replace(item.tracked, frame=shot)), camera
                )
        self._finish_clips(camera, item.camera_id, frame.pts_s)
        announced = [*self._announce(camera, item.camera_id), *self._announce_lost()]
        if not announced and not camera.snapshots and not camera.alarms:
            return item
        events = tuple(_with_snapshot(event, camera.snapshots) for event in item.events)
        self._forget_snapshots(item.events, camera)
        return replace(item, events=(*events, *announced))

    def close(self) -> None:
        """Write nothing more: what is unfinished was given up, and no event can name it."""
        self._writer.close(drop=True)

    def _end(self, item: DecidedEnd, camera: _Camera) -> DecidedEnd:
        """Finish the camera's clips: what was seen until now is all there is."""
        for event in item.events:
            self._note(event, camera, None)
        for clip in camera.clips.values():
            clip.end_s = min(clip.end_s, camera.newest_s)
        self._finish_clips(camera, item.camera_id, float("inf"))
        self._up.discard(item.camera_id)
        if item.end.is_final:
            self._running.discard(item.camera_id)
            self._wait_for_all(camera, item.camera_id)
        elif not self._up and item.end.reason != "format_changed":  # no frame has to wait
            wait_for(camera.unannounced, _LOST_WAIT_S, self._hurry)
        camera.seen.clear()
        announced = [*self._announce(camera, item.camera_id), *self._announce_lost()]
        if item.end.is_final:
            for one in camera.unannounced:
                one.result.cancel()
                self._writer.missed(one.media, item.camera_id, "it was not written in time")
            camera.unannounced.clear()
        events = tuple(_with_snapshot(event, camera.snapshots) for event in item.events)
        self._forget_snapshots(item.events, camera)
        last = [event for event in events if isinstance(event, CameraEvent)]
        others = [event for event in events if not isinstance(event, CameraEvent)]
        return replace(item, events=(*others, *announced, *last))

    def _note(self, event: Event, camera: _Camera, item: DecidedFrame | None) -> Shown | None:
        """Open or end the clip of an event; return what it begins to show, if it does."""
        shown = self._plan.choice.shown_by(event)
        if shown is None:
            return None
        assert isinstance(event, ActionEvent | AlarmEvent)
        clip = camera.clips.get(shown.id)
        if clip is not None:
            clip.people |= people_of(event)
            if not event.is_open:
                clip.end_s = min(clip.end_s, event.end_pts_s + self._plan.after_s)
        begins = event.is_open and not event.is_update
        if not begins or item is None:
            return None
        if shown.is_alarm:
            camera.alarms.add(shown.id)
        if self._plan.clip:
            decided_s = item.tracked.frame.pts_s
            began_s = max(event.start_pts_s, decided_s - LONGEST_BEFORE_DECISION_S)
            start_s = began_s - self._plan.before_s
            number = self._videos.open(item.camera_id, start_s)
            camera.clips[shown.id] = _OpenClip(
                shown,
                event.run_id,
                number,
                start_s,
                start_s + self._plan.longest_s,
                set(people_of(event)),
            )
        return shown

    def _take_snapshots(
        self, begun: list[tuple[Event, Shown]], item: DecidedFrame, camera: _Camera
    ) -> None:
        """Have the snapshots of a frame written, and wait for them as long as the plan allows."""
        is_behind = any(
            one.media == "snapshot" and not one.result.done()
            for other in self._cameras.values()
            for one in other.unannounced
        )
        pending = []
        for event, shown in begun:
            assert isinstance(event, ActionEvent | AlarmEvent)
            path = evidence_path(
                item.camera_id, shown.id, shown.name, ".jpg", is_alarm=shown.is_alarm, at=shown.at
            )
            people = item.tracked.people
            snapshot = EvidenceSnapshot(
                item.tracked.frame.image,
                label_people(event, people),
                boxes_of_others(people, people_of(event)),
                caption_of(item),
                self._plan.hidden,
            )
            result = self._writer.write_snapshot(SnapshotToWrite(item.camera_id, path, snapshot))
            pts_s = item.tracked.frame.pts_s
            pending.append(Unannounced(shown, event.run_id, "snapshot", path, pts_s, result))
        # A disk that is too slow for one snapshot is not waited for again until it has caught up.
        wait_s = 0.0 if is_behind and self._plan.snapshot_wait_s is not None else None
        wait_for(pending, self._plan.snapshot_wait_s if wait_s is None else wait_s, self._hurry)
        for one in pending:
            if one.shown.is_alarm and one.written is not None:
                camera.snapshots[one.shown.id] = one.path
            else:
                camera.unannounced.append(one)

    def _finish_clips(self, camera: _Camera, camera_id: str, now_s: float) -> None:
        """Have the clips written whose end is reached."""
        for key, clip in list(camera.clips.items()):
            if now_s < clip.end_s:
                continue
            del camera.clips[key]
            video = self._videos.take(camera_id, clip.number, clip.start_s, clip.end_s)
            self._videos.close(camera_id, clip.number)
            if video is None:
                self._writer.missed("clip", camera_id, "no key frame of compressed video was held")
                continue
            shown = clip.shown
            path = evidence_path(
                camera_id, shown.id, shown.name, ".mp4", is_alarm=shown.is_alarm, at=shown.at
            )
            hiding = self._hiding(camera, clip)
            result = self._writer.write_clip(
                ClipToWrite(camera_id, path, video, clip.start_s, clip.end_s, hiding)
            )
            one = Unannounced(shown, clip.run_id, "clip", path, clip.start_s, result)
            camera.unannounced.append(one)
            if self._plan.snapshot_wait_s is None:
                wait_for([one], None, self._hurry)

    def _announce(self, camera: _Camera, camera_id: str) -> list[EvidenceEvent]:
        """Return the events of the files that can be read by now."""
        events = []
        for one in list(camera.unannounced):
            if not one.result.done():
                continue
            camera.unannounced.remove(one)
            written = one.written
            if written is None:  # reported, or the run was ended
                continue
            if one.media == "snapshot" and one.shown.id in camera.alarms:
                camera.snapshots[one.shown.id] = one.path
            events.append(announce(one, written, camera_id))
        return events

    def _announce_lost(self) -> list[EvidenceEvent]:
        """Do the same for cameras that send nothing now: some are cut off because of what it shows.

        Such an event travels with an item of another camera.
        """
        return [
            event
            for name in sorted(self._running - self._up)
            if (camera := self._cameras[name]).unannounced
            for event in self._announce(camera, name)
        ]

    def _wait_for_all(self, camera: _Camera, camera_id: str) -> None:
        """Wait for the files of a camera that has ended; of a live run in all for a while."""
        if self._plan.snapshot_wait_s is None:
            wait_for(camera.unannounced, None, self._hurry)
        elif self._stopping.is_set() or not self._running:
            began = time.monotonic()
            wait_for(camera.unannounced, self._end_wait_s, self._hurry)
            self._end_wait_s = max(self._end_wait_s - (time.monotonic() - began), 0.0)
        else:
            wait_for(camera.unannounced, _LEFT_WAIT_S, self._hurry)

    def _remember(self, camera: _Camera, item: DecidedFrame) -> None:
        pts_s = item.tracked.frame.pts_s
        camera.seen.append(_Seen(pts_s, item.tracked.people))
        held_s = self._plan.held_s + self._plan.longest_s
        while camera.seen[0].pts_s < pts_s - held_s:
            camera.seen.popleft()

    def _hiding(self, camera: _Camera, clip: _OpenClip) -> Hiding | None:
        if self._plan.hidden is None:
            return None
        people = frozenset(clip.people)
        return Hiding(
            self._plan.hidden,
            tuple(
                PeopleAt(
                    seen.pts_s,
                    tuple(one.xyxy for one in seen.people if not is_one_of(one, people)),
                )
                for seen in camera.seen
                if clip.start_s - 1.0 <= seen.pts_s <= clip.end_s + 1.0
            ),
            _HIDDEN_FOR_S,
        )

    @staticmethod
    def _forget_snapshots(events: Iterable[Event], camera: _Camera) -> None:
        for event in events:
            if isinstance(event, AlarmEvent) and not event.is_open:
                camera.snapshots.pop(event.alarm_id, None)
                camera.alarms.discard(event.alarm_id)


def _with_snapshot(event: Event, snapshots: dict[str, str]) -> Event:
    if isinstance(event, AlarmEvent) and (path := snapshots.get(event.alarm_id)) is not None:
        return event.model_copy(update={"snapshot": path})
    return event
