"""Wire the stages of a run: every thread and every channel of the program is on this page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial

from pipeline.camera_settings import CameraSettings
from pipeline.components import Components
from pipeline.config.schema import FRAMES_PER_GAP, PipelineConfig
from pipeline.event_chain import decide_events
from pipeline.events import Event
from pipeline.evidence.run import RunEvidence
from pipeline.evidence.videos import RecordedVideos
from pipeline.live.camera_reader import CameraReader
from pipeline.live.camera_set import CameraSet
from pipeline.live.camera_source import CameraSource
from pipeline.live.fresh_clips import FreshClips
from pipeline.live.latest_frames import LatestFrames
from pipeline.live.packet_feed import PacketFeeds
from pipeline.live.supervisor import Operator, Supervisor
from pipeline.observations.keeping import (
    ObservationQueue,
    keep_observations,
    write_observations,
)
from pipeline.observations.recorded_run import RecordedRun, new_recording_name
from pipeline.observations.retention import ObservationLimits
from pipeline.observations.writer import ObservationWriter
from pipeline.outputs.sinks import Sink, write_all
from pipeline.runtime.channel import Channel
from pipeline.runtime.shutdown import Shutdown
from pipeline.runtime.stage_group import StageGroup
from pipeline.sources.file_decoder import DecodeOptions, VideoInfo
from pipeline.sources.interruptions import end_at_interruptions
from pipeline.sources.recordings import Recording, read_recording
from pipeline.sources.video_files import VideoFile, in_batches, merge_by_time
from pipeline.stages.clips import drop_pixels
from pipeline.stages.decisions import EventStamp
from pipeline.stages.detection import detect_people
from pipeline.stages.group_clips import cut_subjects
from pipeline.stages.numbering import number_events
from pipeline.stages.pose import estimate_poses
from pipeline.stages.reattachment import reattach_tracks
from pipeline.stages.recognition import (
    NumberedScorer,
    SceneScorer,
    recognize_actions,
    recognize_scenes,
    recognize_with_several,
)
from pipeline.stages.scene_clips import cut_scenes
from pipeline.stages.several_cuts import cut_for_several
from pipeline.stages.tracking import track_people
from pipeline.telemetry.run_status import RunStatus, StatusSink
from pipeline.types import (
    ClippedFrame,
    DecidedEnd,
    DecidedFrame,
    DetectedFrame,
    Frame,
    RecognizedFrame,
    StreamEnd,
    TrackedFrame,
)

_DETECTED_WAITING = 2  # frames; what waits here gets older


def replay(
    videos: Sequence[VideoFile | Recording],
    components: Components,
    config: PipelineConfig,
    stamp: EventStamp,
    sinks: Sequence[Sink],
    shutdown: Shutdown,
    *,
    opened: Callable[[str, VideoInfo], None] = lambda camera_id, info: None,
    keep_pixels: bool = False,
) -> Generator[Event, None, None]:
    """Process every frame of every file, with the same result every time; yield the events.

        file 1 ==+            one tracker per camera
        file 2 ==+> merge by time > detect ==> track > cut clips ==> recognize > decide
        file n ==+                                          > evidence > number ==> sinks
        snapshots, clips, retention: write and delete evidence, if any is kept
                              (==> is a channel and a thread; > is a plain generator)

    With `observations.keep`, what goes from recognize to decide also goes ==> to their writer.

    The order of everything downstream of the merge depends on the files alone; the models give an
    item the same result whatever it is batched with. So the events do not depend on timing.

    The run lasts while the generator is iterated: the sinks are written in the calling thread,
    and closing the generator early ends the run without waiting for what is queued.

    Args:
        videos: the recordings, one per camera.
        components: the models.
        config: the queue sizes, the clips, and the settings of each camera.
        stamp: what every event of this run carries.
        sinks: written with every item, in order.
        shutdown: its `stop` ends the reading; a second request ends everything.
        opened: called from a reader's thread with the camera id and what its file holds.
        keep_pixels: a sink draws, so frames keep their image to the end.

    Raises:
        Exception: the first error of any stage or sink, after all threads have ended.
    """
    settings = CameraSettings(config, components.known, components.policy)
    options = DecodeOptions(config.replay.raw_fps, config.replay.max_pixels)
    clips = Channel[ClippedFrame | StreamEnd](config.queues.clips)
    results = Channel[DecidedFrame | DecidedEnd](config.queues.results)
    recordings = RecordedVideos(options)
    evidence = _evidence(config, components, stamp, shutdown, is_live=False)

    with evidence, StageGroup(shutdown.stop) as stages:
        shutdown.bind(stages.cancel)

        def read(video: VideoFile | Recording) -> Iterator[Frame | StreamEnd]:
            frames = Channel[Frame | StreamEnd](config.queues.frames)
            recording = video if isinstance(video, Recording) else Recording.of_file(video)
            reader = read_recording(
                recording,
                stop=shutdown.stop,
                now=time.time,
                opened=opened,
                began=recordings.began,
                options=options,
            )
            whole = end_at_interruptions(reader, config.clip.max_gap_s)
            stages.start(f"read {video.camera_id}", whole, frames)
            return iter(frames)

        merged = merge_by_time(map(read, videos), max_concurrent_files=config.replay.files_at_once)
        cut = _perceive(stages, in_batches(merged, components.detect_batch), components, config)
        cut = evidence.keep_images(cut)
        stages.start("track", cut if keep_pixels else drop_pixels(cut), clips)
        recognized = _recognize(clips.batches(config.queues.clips), components)
        recognized = _keep_observations(stages, recognized, components, config, stamp)
        decided = _decide(recognized, components, settings, stamp, live=False)
        shown = evidence.keep(decided, recordings)
        stages.start("recognize", number_events(shown), results)
        for name, work in evidence.threads():
            stages.run(name, work, cancel=evidence.cancel)

        yield from write_all(results, sinks)


def live(
    sources: Sequence[CameraSource],
    components: Components,
    config: PipelineConfig,
    stamp: EventStamp,
    sinks: Sequence[Sink],
    status: RunStatus,
    operator: Operator,
    shutdown: Shutdown,
    settings: CameraSettings | None = None,
) -> Generator[Event, None, None]:
    """Process cameras until a shutdown, or until all of them are files that have ended.

        camera 1 ==+             one tracker per camera
        camera 2 ==+=> newest > detect ==> track > cut clips ==> recognize > decide
        camera n ==+   frames                        > evidence > number ==> sinks
        supervise: status line, systemd, reloads that add and remove cameras
        keep observations: writes what goes from recognize to decide, if it is to be kept
        snapshots, clips, retention: write and delete evidence, if any is kept
                                                                (==> is a thread boundary)

    No reader ever waits for the models. What they cannot process is dropped, the oldest frame of
    the same camera first, so that the delay of the events is bounded.

    The run lasts while the generator is iterated, as in `replay`.

    Args:
        sources: the cameras to begin with; a reload may change them.
        components: the models.
        config: the limits and the clips.
        stamp: what every event of this run carries.
        sinks: written with every item, in order.
        status: counts everything that happens.
        operator: gets the reports, and asks for reloads.
        shutdown: its `stop` ends the cameras; a second request ends everything.
        settings: of each camera, which a reload replaces; None: those of the configuration.

    Raises:
        Exception: the first error of any stage or sink, after all threads have ended.
    """
    limits = config.live
    frames = LatestFrames(limits.waiting_frames, limits.max_staleness_s, status)
    clips = FreshClips(limits.max_clip_staleness_s, status)
    results = Channel[DecidedFrame | DecidedEnd](config.queues.results)
    status.register_queue("detect", frames)
    status.register_queue("recognize", clips)
    status.register_queue("results", results)
    evidence = _evidence(config, components, stamp, shutdown, is_live=True)
    status.register_evidence(evidence.health)
    feeds = PacketFeeds(evidence.plan.held_s, evidence.packet_bytes, evidence.packet_bytes)

    with evidence, StageGroup(shutdown.stop) as stages:
        shutdown.bind(stages.cancel)

        def read(source: CameraSource, stop: threading.Event) -> threading.Thread:
            feed = feeds.of(source.camera_id) if evidence.cuts_clips else None
            reader = CameraReader(source, limits, config.clip.max_gap_s, status, stop, feed=feed)
            frames.add_camera()
            return stages.start(f"read {source.camera_id}", reader.frames(), frames, stop=stop)

        cameras = CameraSet(read, status, ended=frames.close)
        cameras.update(sources)
        least_fps = FRAMES_PER_GAP / config.clip.max_gap_s
        supervisor = Supervisor(
            cameras, status.snapshot, operator, shutdown.stop, least_fps=least_fps
        )
        stages.run("supervise", supervisor.run)

        cut = _perceive(stages, frames.batches(components.detect_batch), components, config)
        stages.start("track", drop_pixels(evidence.keep_images(cut)), clips)
        recognized = _recognize(clips.batches(components.recognize_batch), components)
        recognized = _keep_observations(stages, recognized, components, config, stamp, status)
        settings = settings or CameraSettings(config, components.known, components.policy)
        decided = _decide(recognized, components, settings, stamp, live=True)
        shown = evidence.keep(decided, feeds)
        stages.start("recognize", number_events(shown), results)
        for name, work in evidence.threads():
            stages.run(name, work, cancel=evidence.cancel)

        yield from write_all(results, [*sinks, StatusSink(status)])


def _perceive(
    stages: StageGroup,
    batches: Iterable[Sequence[Frame | StreamEnd]],
    components: Components,
    config: PipelineConfig,
) -> Generator[ClippedFrame | StreamEnd, None, None]:
    """Turn frames into clips; people are tracked while the next frames are detected."""
    detected = Channel[DetectedFrame | StreamEnd](_DETECTED_WAITING)
    stages.start("detect", detect_people(batches, components.detector, time.time), detected)
    tracked: Iterable[TrackedFrame | StreamEnd]
    tracked = track_people(detected, components.new_tracker, time.time)
    tracked = reattach_tracks(tracked, components.reattach)
    if components.pose is not None:
        tracked = estimate_poses(tracked, components.pose, config.pose.fps)
    if components.parts:
        return cut_for_several(
            tracked, [partial(part.cut, now=time.time) for part in components.parts]
        )
    spec, stride_s = components.clip_spec, config.clip.stride_s
    if isinstance(components.recognizer, SceneScorer):
        return cut_scenes(tracked, spec, time.time, stride_s=stride_s)
    return cut_subjects(tracked, spec, components.group_spec, time.time, stride_s=stride_s)


def _evidence(
    config: PipelineConfig,
    components: Components,
    stamp: EventStamp,
    shutdown: Shutdown,
    *,
    is_live: bool,
) -> RunEvidence:
    return RunEvidence(
        config.evidence,
        config.output,
        stamp.run_id,
        tuple(components.policy.rules),
        shutdown,
        config.live.max_pixels if is_live else config.replay.max_pixels,
        is_live=is_live,
    )


def _recognize(
    batches: Iterable[Sequence[ClippedFrame | StreamEnd]], components: Components
) -> Iterator[RecognizedFrame | StreamEnd]:
    """Score the clips."""
    if components.parts:
        scorers = [NumberedScorer(part.scorer, part.labels) for part in components.parts]
        return recognize_with_several(batches, scorers, time.time)
    if isinstance(components.recognizer, SceneScorer):
        return recognize_scenes(batches, components.recognizer, time.time)
    return recognize_actions(batches, components.recognizer, time.time)


def _decide(
    recognized: Iterable[RecognizedFrame | StreamEnd],
    components: Components,
    settings: CameraSettings,
    stamp: EventStamp,
    *,
    live: bool,
) -> Iterable[DecidedFrame | DecidedEnd]:
    """Turn scores into events."""
    labels = components.labels
    return decide_events(recognized, labels, settings, stamp, time.time, live=live)


def _keep_observations(
    stages: StageGroup,
    recognized: Iterator[RecognizedFrame | StreamEnd],
    components: Components,
    config: PipelineConfig,
    stamp: EventStamp,
    status: RunStatus | None = None,
) -> Iterator[RecognizedFrame | StreamEnd]:
    """Start the writer of observations, if they are to be kept, and pass what is recognized.

    Args:
        stages: of the run.
        recognized: what goes to decisions.
        components: the models.
        config: the section `observations`.
        stamp: of the run.
        status: of a live run, which waits for no disk; None: a replay, which loses nothing.
    """
    if not config.observations.keep:
        return recognized
    queue = ObservationQueue(waits=status is None)
    writer = _observation_writer(components, config, stamp, live=status is not None)
    if status is not None:
        status.register_queue("observations", queue)
        status.register_disk(writer)
    stages.run("keep observations", partial(write_observations, queue, writer), cancel=queue.finish)
    return keep_observations(recognized, queue)


def _observation_writer(
    components: Components, config: PipelineConfig, stamp: EventStamp, *, live: bool
) -> ObservationWriter:
    """Describe the run; only a live one continues without what its disk does not take."""
    section, defaults = config.observations, components.default_decision
    run = RecordedRun(
        recording=new_recording_name(),
        run_id=stamp.run_id,
        wall_clock=stamp.wall_clock,
        live=live,
        model=stamp.model,
        labels=components.labels,
        group_actions=tuple(sorted(components.policy.group_actions)),
        fresh_s=components.policy.fresh_s,
        stride_s=components.stride_s,
        default_decision=None if defaults is None else defaults.to_json(),
    )
    limits = ObservationLimits(
        section.flush_s, section.max_age_days * 86_400, section.max_mb * 1_000_000
    )
    return ObservationWriter(section.folder_under(config.output), run, limits, tolerant=live)
