"""What the evidence stage adds to decided frames, with a stand-in for the encoder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.events import AlarmEvent, Event, EvidenceEvent
from pipeline.evidence.clip_file import WrittenClip
from pipeline.evidence.clip_process import ClipJob, RecordedVideo
from pipeline.evidence.files import EvidenceFiles
from pipeline.evidence.frame_store import FrameStore
from pipeline.evidence.health import EvidenceHealth
from pipeline.evidence.shown import Choice
from pipeline.evidence.stage import EvidenceKeeper, EvidencePlan, keep_evidence
from pipeline.evidence.writer import EvidenceWriter
from pipeline.sources.file_decoder import DECODE_DEFAULTS
from pipeline.types import (
    ClippedFrame,
    DecidedEnd,
    DecidedFrame,
    Frame,
    StreamEnd,
    TrackedFrame,
    TrackedPerson,
)
from tests.pipeline.decided_items import make_alarm_event, make_camera_event, make_event

FPS = 10
CAMERA = RecordedVideo(Path("camera.mp4"), None, DECODE_DEFAULTS, 0.0)


class Encoder:
    """Writes the span of a clip as text; `slow` is waited for, `failing` is raised."""

    def __init__(self) -> None:
        self.jobs: list[ClipJob] = []
        self.slow = threading.Event()
        self.slow.set()
        self.failing: Exception | None = None
        self.is_abandoned = False

    def __enter__(self) -> Encoder:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def abandon(self) -> None:
        self.is_abandoned = True

    def write(self, job: ClipJob) -> WrittenClip:
        assert self.slow.wait(60.0)
        if self.failing is not None:
            raise self.failing
        self.jobs.append(job)
        content = f"{job.start_s:.1f} {job.end_s:.1f}".encode()
        job.path.write_bytes(content)
        digest = sha256(content).hexdigest()
        return WrittenClip("h264", job.start_s, job.end_s, 1.0, len(content), digest)


class Videos:
    """Recorded video that is always there, or `missing`."""

    def __init__(self) -> None:
        self.open_clips: set[int] = set()
        self.missing = False
        self._count = 0

    def open(self, camera_id: str, start_s: float) -> int:
        self._count += 1
        self.open_clips.add(self._count)
        return self._count

    def take(self, camera_id: str, clip: int, start_s: float, end_s: float) -> RecordedVideo | None:
        return None if self.missing else CAMERA

    def close(self, camera_id: str, clip: int) -> None:
        self.open_clips.discard(clip)


class Run:
    """A stage with its threads."""

    def __init__(self, folder: Path, **plan: Any) -> None:
        self.folder, self.health = folder, EvidenceHealth()
        self.encoder, self.videos = Encoder(), Videos()
        self.files = EvidenceFiles(folder, "run")
        self.store = FrameStore(None, every_frame=True)
        self.stop, self.hurry = threading.Event(), threading.Event()
        settings: dict[str, Any] = {
            "choice": Choice(("*",), ("fight",)),
            "snapshot": True,
            "clip": True,
            "before_s": 1.0,
            "after_s": 0.5,
            "longest_s": 20.0,
            "hidden": None,
            "snapshot_wait_s": None,
        }
        settings |= plan
        self.plan = EvidencePlan(**settings)
        self.writer = EvidenceWriter(
            self.files, self.health, self.encoder, 10_000_000,  # type: ignore[arg-type]
            patient=self.plan.snapshot_wait_s is None,
        )  # fmt: skip
        self.keeper = EvidenceKeeper(
            self.plan, self.writer, self.store, self.videos, self.stop, self.hurry
        )

    def item(
        self,
        index: int,
        events: Sequence[Event] = (),
        people: Sequence[TrackedPerson] = (),
        camera_id: str = "gate",
    ) -> DecidedFrame:
        image = np.full((48, 64, 3), 80, np.uint8)
        frame = Frame(camera_id, index, index / FPS, 1e9 + index / FPS, image, 0.0)
        tracked = TrackedFrame(frame, tuple(people), (), 0.0, 0.0)
        list(self.store.keep([ClippedFrame(tracked, (), 0.0)]))
        return DecidedFrame(tracked, tuple(events))

    def events(self, items: Callable[[Run], Iterator[DecidedFrame | DecidedEnd]]) -> list[Any]:
        """What comes out, as (index of the item, event)."""
        with self.threads():
            found = []
            for number, item in enumerate(keep_evidence(items(self), self.keeper)):
                found += [(number, event) for event in item.events]
            return found

    @contextmanager
    def threads(self) -> Iterator[None]:
        with self.files:
            threads = [
                threading.Thread(target=self.writer.run_snapshots),
                threading.Thread(target=self.writer.run_clips),
            ]
            for thread in threads:
                thread.start()
            try:
                yield
            finally:
                self.encoder.slow.set()
                self.writer.close(drop=True)
                for thread in threads:
                    thread.join(60.0)
                    assert not thread.is_alive()

    def opens(self, event: EvidenceEvent) -> bool:
        content = (self.folder / event.path).read_bytes()
        return (len(content), sha256(content).hexdigest()) == (event.size_bytes, event.sha256)


def action(kind: str, start: float, end: float, **changes: Any) -> Event:
    reason = {"end_reason": "below_threshold"} if kind == "end" else {}
    fields = {"action": "fight", "start_pts_s": start, "end_pts_s": end} | reason | changes
    return make_event(1, kind, **fields)


def alarm(phase: str, start: float, end: float, **changes: Any) -> AlarmEvent:
    reason = {"end_reason": "over"} if phase == "end" else {}
    fields = {"start_pts_s": start, "end_pts_s": end} | reason | changes
    return make_alarm_event(1, phase, **fields)


def an_action(run: Run, last: int = 60) -> Iterator[DecidedFrame | DecidedEnd]:
    """An action from 2.0 to 3.0 s, decided at 2.2 and ended at 3.4 s."""
    for index in range(last):
        events: tuple[Event, ...] = ()
        if index == 22:
            events = (action("start", 2.0, 2.2),)
        if index == 34:
            events = (action("end", 2.0, 3.0),)
        yield run.item(index, events)
    down = make_camera_event(2, "camera_down", reason="stream_ended")
    yield DecidedEnd(StreamEnd("gate"), (down,))


def evidence(found: list[Any]) -> list[tuple[int, EvidenceEvent]]:
    return [(number, event) for number, event in found if isinstance(event, EvidenceEvent)]


def test_an_action_gets_a_snapshot_at_its_decision_and_a_clip_after_its_post_roll(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)
    (at_shot, shot), (at_clip, clip) = evidence(run.events(an_action))
    assert (at_shot, shot.media, shot.codec, shot.start_pts_s) == (22, "snapshot", "jpeg", 2.2)
    assert (at_clip, clip.media) == (35, "clip")  # 3.0 + 0.5 s is the first frame at or after
    assert (clip.start_pts_s, clip.end_pts_s) == (1.0, 3.5)
    assert (clip.instance_id, clip.alarm_id) == ("gate-run-a1", None)
    assert run.opens(shot)
    assert run.opens(clip)
    assert not run.videos.open_clips


def test_the_same_run_gives_the_same_events(tmp_path: Path) -> None:
    assert Run(tmp_path / "a").events(an_action) == Run(tmp_path / "b").events(an_action)


def test_an_alarm_names_its_snapshot_from_the_start_to_the_end(tmp_path: Path) -> None:
    def items(run: Run) -> Iterator[DecidedFrame]:
        people = (TrackedPerson(7, np.array([10, 8, 30, 40], np.float32), 0.9),)
        yield run.item(0, (alarm("start", 0.0, 0.0, track_ids=(7,)),), people)
        yield run.item(1, (alarm("update", 0.0, 0.1),))
        yield run.item(2, (alarm("end", 0.0, 0.1),))
        yield run.item(3)

    run = Run(tmp_path, clip=False)
    found = run.events(items)
    paths = [event.snapshot for _, event in found]
    assert len(found) == 3
    assert len(set(paths)) == 1
    image = cv2.imread(str(tmp_path / paths[0]))
    assert image.shape == (48, 64, 3)
    assert np.abs(image.astype(int) - 80).max() > 40  # drawn


def test_what_is_not_chosen_is_not_kept(tmp_path: Path) -> None:
    run = Run(tmp_path, choice=Choice(("night-*",), ("fall*",)))
    assert evidence(run.events(an_action)) == []
    assert not list(tmp_path.rglob("*.jpg"))


def test_the_end_of_the_camera_ends_its_clips_and_they_come_before_camera_down(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path)
    found = run.events(lambda one: an_action(one, last=25))
    kinds = [event.kind for _, event in found]
    assert kinds == ["start", "evidence", "evidence", "camera_down"]
    clip = found[2][1]
    assert (clip.media, clip.end_pts_s) == ("clip", 2.4)
    assert run.opens(clip)


def test_what_continues_for_long_has_a_clip_that_ends(tmp_path: Path) -> None:
    def items(run: Run) -> Iterator[DecidedFrame]:
        for index in range(80):
            yield run.item(index, (action("start", 2.0, 2.0),) if index == 20 else ())

    [(number, clip)] = evidence(Run(tmp_path, snapshot=False, longest_s=5.0).events(items))
    assert (number, clip.start_pts_s, clip.end_pts_s) == (60, 1.0, 6.0)


def test_what_began_long_before_its_decision_is_shown_from_shortly_before_it(
    tmp_path: Path,
) -> None:
    def items(run: Run) -> Iterator[DecidedFrame | DecidedEnd]:
        yield run.item(6000, (alarm("start", 0.0, 600.0),))
        yield DecidedEnd(StreamEnd("gate"), ())

    [(_, clip)] = evidence(Run(tmp_path, snapshot=False).events(items))
    assert clip.start_pts_s == 600.0 - 10.0 - 1.0


def test_a_slow_disk_delays_an_event_for_a_moment_and_its_snapshot_is_announced_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path, snapshot_wait_s=0.05, clip=False)
    writable = threading.Event()
    write = run.files.write

    def slowly(path: str, content: bytes) -> None:
        assert writable.wait(60.0)
        write(path, content)

    monkeypatch.setattr(run.files, "write", slowly)
    with run.threads():
        start = run.keeper.process(run.item(0, (alarm("start", 0.0, 0.0),)))
        assert [event.kind for event in start.events] == ["alarm"]
        assert start.events[0].snapshot is None  # type: ignore[union-attr]
        writable.set()
        later: list[Event] = []
        for index in range(1, 6000):
            later += run.keeper.process(run.item(index)).events
            if later:
                break
            threading.Event().wait(0.01)
        [shot] = later
        assert isinstance(shot, EvidenceEvent)
        assert (shot.media, shot.alarm_id) == ("snapshot", start.events[0].alarm_id)  # type: ignore[union-attr]
        assert run.opens(shot)


@pytest.mark.parametrize("snapshot_wait_s", [None, 0.2])
def test_a_full_disk_loses_evidence_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot_wait_s: float | None
) -> None:
    run = Run(tmp_path, snapshot_wait_s=snapshot_wait_s)
    run.encoder.failing = OSError(28, "No space left on device")

    def full(path: str, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run.files, "write", full)
    found = run.events(an_action)
    assert [event.kind for _, event in found] == ["start", "end", "camera_down"]
    assert run.health.missing == {"snapshot": 1, "clip": 1}
    assert "No space left" in (run.health.error or "")


def test_a_clip_that_the_end_of_a_live_run_cannot_wait_for_is_never_named(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path, snapshot=False, snapshot_wait_s=0.0)
    run.encoder.slow.clear()
    run.stop.set()
    run.hurry.set()
    found = run.events(lambda one: an_action(one, last=25))
    assert [event.kind for _, event in found] == ["start", "camera_down"]
    assert run.health.missing["clip"] == 1
    assert not list(tmp_path.rglob("*.mp4"))


def test_video_that_is_not_there_and_an_image_that_is_gone_are_reported(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.videos.missing = True

    def items(one: Run) -> Iterator[DecidedFrame | DecidedEnd]:
        for item in an_action(one):
            if isinstance(item, DecidedFrame) and item.events:
                one.store.take("gate", item.tracked.frame.index)
            yield item

    assert evidence(run.events(items)) == []
    assert run.health.missing == {"snapshot": 1, "clip": 1}


def test_people_who_are_not_in_question_are_hidden_in_clips(tmp_path: Path) -> None:
    def items(run: Run) -> Iterator[DecidedFrame | DecidedEnd]:
        for index in range(50):
            people = (
                TrackedPerson(7, np.array([1, 1, 9, 9], np.float32), 0.9),
                TrackedPerson(8, np.array([index, 1, 60, 40], np.float32), 0.9),
            )
            yield run.item(index, (action("start", 2.0, 2.0),) if index == 20 else (), people)
        yield DecidedEnd(StreamEnd("gate"), ())

    run = Run(tmp_path, snapshot=False, hidden="faces")
    run.events(items)
    [job] = run.encoder.jobs
    assert job.hiding is not None
    assert {len(one.boxes) for one in job.hiding.people} == {1}
    times = [one.pts_s for one in job.hiding.people]
    assert times[0] <= job.start_s
    assert times[-1] >= job.end_s


def test_the_time_of_evidence_is_that_of_its_first_frame(tmp_path: Path) -> None:
    def items(run: Run) -> Iterator[DecidedFrame | DecidedEnd]:
        start = action("start", 2.0, 2.0, start_time="2026-11-26T00:00:02.000Z")
        yield run.item(20, (start,))
        yield DecidedEnd(StreamEnd("gate"), ())

    shot, clip = (event for _, event in evidence(Run(tmp_path).events(items)))
    assert shot.time == "2026-11-26T00:00:02.000Z"
    assert clip.time == "2026-11-26T00:00:01.000Z"
    assert shot.path.startswith("gate/2026-11-26/000002-action-fight-")


def test_a_run_that_has_ended_does_not_wait_for_the_clip_that_it_gave_up(tmp_path: Path) -> None:
    run = Run(tmp_path, snapshot=False, snapshot_wait_s=0.0)
    run.encoder.slow.clear()
    run.hurry.set()
    with run.threads():
        for _ in keep_evidence(an_action(run, last=25), run.keeper):
            pass
        assert run.encoder.is_abandoned


def test_a_slow_disk_is_waited_for_once_and_not_once_per_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path, snapshot_wait_s=0.05, clip=False)
    waited: list[float | None] = []

    def wait(files: object, wait_s: float | None, hurry: threading.Event) -> None:
        waited.append(wait_s)

    monkeypatch.setattr("pipeline.evidence.stage.wait_for", wait)
    for camera_id in ("gate", "yard", "door"):  # no thread writes anything
        item = run.item(0, (alarm("start", 0.0, 0.0, camera_id=camera_id),), camera_id=camera_id)
        run.keeper.process(item)
    assert waited == [0.05, 0.0, 0.0]


def test_a_snapshot_that_comes_after_its_alarm_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path, snapshot_wait_s=0.0, clip=False)
    run.keeper.process(run.item(0, (alarm("start", 0.0, 0.0),)))
    run.keeper.process(run.item(1, (alarm("end", 0.0, 0.1),)))
    run.writer.close()
    with run.files:
        run.writer.run_snapshots()
        [late] = run.keeper.process(run.item(2)).events
        assert isinstance(late, EvidenceEvent)
        [again] = run.keeper.process(run.item(3, (alarm("update", 0.0, 0.3),))).events
    assert again.snapshot is None  # type: ignore[union-attr]


def cut_off(run: Run) -> DecidedEnd:
    """An alarm, and the end of its camera, which may come back."""
    run.keeper.process(run.item(1, (alarm("start", 0.0, 0.1),)))
    end = alarm("end", 0.0, 0.1, end_reason="camera_down")
    down = make_camera_event(3, "camera_down", reason="disconnected")
    lost = DecidedEnd(StreamEnd("gate", "disconnected", at=1e9), (end, down))
    return run.keeper.process(lost)  # type: ignore[return-value]


def test_the_clip_of_a_lost_camera_is_announced_among_the_frames_of_another_one(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path, snapshot=False, snapshot_wait_s=0.0)
    run.encoder.slow.clear()
    with run.threads():
        run.keeper.process(run.item(0, camera_id="yard"))
        assert [event.kind for event in cut_off(run).events] == ["alarm", "camera_down"]
        run.encoder.slow.set()
        later: list[Event] = []
        for index in range(1, 6000):
            later += run.keeper.process(run.item(index, camera_id="yard")).events
            if later:
                break
            threading.Event().wait(0.01)
    [clip] = later
    assert isinstance(clip, EvidenceEvent)
    assert (clip.camera_id, clip.media) == ("gate", "clip")


def test_the_clip_of_the_only_camera_is_waited_for_when_it_is_lost(tmp_path: Path) -> None:
    run = Run(tmp_path, snapshot=False, snapshot_wait_s=0.0)
    with run.threads():
        events = cut_off(run).events
    assert [event.kind for event in events] == ["alarm", "evidence", "camera_down"]
