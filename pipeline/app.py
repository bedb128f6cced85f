"""Wire the stages of a run: every thread and every channel of the program is on this page."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence

from pipeline.components import Components
from pipeline.config.schema import PipelineConfig
from pipeline.live.camera_reader import CameraReader, CameraTimeouts
from pipeline.live.camera_set import CameraSet
from pipeline.live.camera_source import CameraSource
from pipeline.live.fresh_clips import FreshClips
from pipeline.live.latest_frames import LatestFrames
from pipeline.live.supervisor import Supervisor
from pipeline.outputs.sinks import Sink
from pipeline.runtime.channel import Channel
from pipeline.runtime.shutdown import Shutdown
from pipeline.runtime.stage_group import StageGroup
from pipeline.sources.video_files import VideoFile, in_batches, merge_by_time, read_frames
from pipeline.stages.clips import cut_clips, drop_pixels
from pipeline.stages.decisions import EventStamp, decide_actions
from pipeline.stages.detection import detect_people
from pipeline.stages.recognition import SceneScorer, recognize_actions, recognize_scenes
from pipeline.stages.scene_clips import cut_scenes
from pipeline.stages.tracking import track_people
from pipeline.telemetry.replay_progress import ReplayProgress
from pipeline.telemetry.run_status import RunStatus
from pipeline.telemetry.snapshots import LiveView
from pipeline.types import (
    ClippedFrame,
    DecidedEnd,
    DecidedFrame,
    DetectedFrame,
    Frame,
    StreamEnd,
)

_DETECTED_WAITING = 2  # frames; what waits here is seen no newer


def replay(
    videos: Sequence[VideoFile],
    components: Components,
    config: PipelineConfig,
    stamp: EventStamp,
    sinks: Sequence[Sink],
    progress: ReplayProgress,
    shutdown: Shutdown,
    *,
    keep_pixels: bool,
) -> None:
    """Run every frame of every file through one pipeline, the same way every time.

        file 1 ==+            one tracker per camera
        file 2 ==+> merge by time > detect ==> track > cut clips ==> recognize > decide ==> sinks
        file n ==+            (==> is a channel and a thread; > is a plain generator)

    The order of everything downstream of the merge depends on the files alone; the models give an
    item the same result whatever it is batched with. So the events do not depend on timing.

    Args:
        videos: the files, each a camera of its own.
        components: the models.
        config: the queue sizes, clip and decision settings.
        stamp: what every event of this run carries.
        sinks: written in the calling thread, in order.
        progress: told of every file and every item.
        shutdown: its `stop` ends the reading; a second request ends everything.
        keep_pixels: a sink draws, so frames keep their image to the end.

    Raises:
        Exception: the first error of any stage or sink, after all threads have ended.
    """
    clips = Channel[ClippedFrame | StreamEnd](config.queues.clips)
    results = Channel[DecidedFrame | DecidedEnd](config.queues.results)

    with StageGroup(shutdown.stop) as stages:
        shutdown.bind(stages.cancel)

        def read(video: VideoFile) -> Iterator[Frame | StreamEnd]:
            frames = Channel[Frame | StreamEnd](config.queues.frames)
            reader = read_frames(video, stop=shutdown.stop, now=time.time, opened=progress.opened)
            stages.start(f"read {video.camera_id}", reader, frames)
            return iter(frames)

        merged = merge_by_time(map(read, videos), max_concurrent_files=config.replay.files_at_once)
        cut = _perceive(stages, in_batches(merged, components.detect_batch), components, config)
        stages.start("track", cut if keep_pixels else drop_pixels(cut), clips)
        decided = _recognize(clips.batches(config.queues.clips), components, stamp)
        stages.start("recognize", decided, results)

        for item in results:
            for sink in sinks:
                sink.write(item)
            progress.advance(item)


def live(
    sources: Sequence[CameraSource],
    components: Components,
    config: PipelineConfig,
    stamp: EventStamp,
    sinks: Sequence[Sink],
    status: RunStatus,
    view: LiveView,
    watch: Supervisor,
    shutdown: Shutdown,
) -> None:
    """Watch cameras until told to stop, or until every one of them, all files, has ended.

        camera 1 ==+             one tracker per camera
        camera 2 ==+=> newest > detect ==> track > cut clips ==> recognize > decide ==> sinks
        camera n ==+   frames                                   (==> is a thread boundary)
        watch: cameras that come and go, a line every ten seconds, systemd

    No reader ever waits for the models: what they cannot manage is left out, the oldest of the same
    camera first, so that what is said is late by a bounded time whatever happens.

    Args:
        sources: the cameras to begin with; `watch` may bring others.
        components: the models.
        config: the limits, clip and decision settings.
        stamp: what every event of this run carries.
        sinks: written in the calling thread, in order.
        status: told of everything that is counted.
        view: told what there is to look at.
        watch: keeps house.
        shutdown: its `stop` ends the cameras; a second request ends everything.

    Raises:
        Exception: the first error of any stage or sink, after all threads have ended.
    """
    limits = config.live
    frames = LatestFrames(limits.waiting_frames, limits.max_staleness_s, status)
    clips = FreshClips(limits.max_clip_staleness_s, status)
    results = Channel[DecidedFrame | DecidedEnd](config.queues.results)
    view.attach({"detect": frames, "recognize": clips}, {"results": results})
    patience = CameraTimeouts(
        open_timeout_s=limits.open_timeout_s,
        read_timeout_s=limits.read_timeout_s,
        max_staleness_s=limits.max_staleness_s,
        max_gap_s=config.clip.max_gap_s,
        reconnect_first_s=limits.reconnect_first_s,
        reconnect_longest_s=limits.reconnect_longest_s,
    )

    with StageGroup(shutdown.stop) as stages:
        shutdown.bind(stages.cancel)

        def read(source: CameraSource, stop: threading.Event) -> threading.Thread:
            reader = CameraReader(source, patience, status, stop)
            name = source.camera_id
            return stages.start(f"read {name}", reader.frames(), frames.port(name, stop))

        cameras = CameraSet(read, status)
        housekeeping = watch.run(cameras, sources, shutdown.stop, frames.close)
        stages.start("watch", housekeeping, Channel[None](1))

        cut = _perceive(stages, frames.batches(components.detect_batch), components, config)
        stages.start("track", drop_pixels(cut), clips)
        decided = _recognize(clips.batches(components.recognize_batch), components, stamp)
        stages.start("recognize", decided, results)

        for item in results:
            for sink in sinks:
                sink.write(item)
            if isinstance(item, DecidedFrame):
                people, events = len(item.tracked.people), len(item.events)
                status.decided(item.camera_id, people, events, item.latency_s)
            else:
                status.decided(item.camera_id, 0, len(item.events), {})


def _perceive(
    stages: StageGroup,
    batches: Iterable[Sequence[Frame | StreamEnd]],
    components: Components,
    config: PipelineConfig,
) -> Generator[ClippedFrame | StreamEnd, None, None]:
    """From frames to clips. Looks of people are compared while the next ones are detected."""
    detected = Channel[DetectedFrame | StreamEnd](_DETECTED_WAITING)
    stages.start("detect", detect_people(batches, components.detector, time.time), detected)
    tracked = track_people(detected, components.new_tracker, time.time)
    cut = cut_scenes if isinstance(components.recognizer, SceneScorer) else cut_clips
    return cut(tracked, components.clip_spec, time.time, stride_s=config.clip.stride_s)


def _recognize(
    batches: Iterable[Sequence[ClippedFrame | StreamEnd]], components: Components, stamp: EventStamp
) -> Generator[DecidedFrame | DecidedEnd, None, None]:
    """From clips to events."""
    if isinstance(components.recognizer, SceneScorer):
        recognized = recognize_scenes(batches, components.recognizer, time.time)
    else:
        recognized = recognize_actions(batches, components.recognizer, time.time)
    return decide_actions(recognized, components.labels, components.policy, stamp, time.time)
