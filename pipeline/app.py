"""Wire the stages of a run: every thread and every channel of the program is on this page."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from pipeline.channel import Channel
from pipeline.clips import cut_clips, drop_pixels
from pipeline.config import PipelineConfig
from pipeline.decisions import EventStamp, decide_actions
from pipeline.detection import detect_people
from pipeline.parts import Parts
from pipeline.progress import ReplayProgress
from pipeline.recognition import recognize_actions
from pipeline.shutdown import Shutdown
from pipeline.sinks import Sink
from pipeline.sources import VideoFile, in_batches, merge_by_time, read_frames
from pipeline.stages import StageGroup
from pipeline.tracking import track_people
from pipeline.types import ClippedFrame, DecidedEnd, DecidedFrame, Frame, StreamEnd


def replay(
    videos: Sequence[VideoFile],
    parts: Parts,
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
        file 2 ==+> merge by time > detect > track > cut clips ==> recognize > decide ==> sinks
        file n ==+            (==> is a channel and a thread; > is a plain generator)

    The order of everything downstream of the merge depends on the files alone; the models give an
    item the same result whatever it is batched with. So the events do not depend on timing.

    Args:
        videos: the files, each a camera of its own.
        parts: the models.
        config: the queue sizes, clip and decision settings.
        stamp: what every event of this run carries.
        sinks: written in the calling thread, in order.
        progress: told of every file and every item.
        shutdown: its `stop` ends the reading; a second request ends everything.
        keep_pixels: a sink draws, so frames keep their image to the end.

    Raises:
        Exception: the first error of any stage or sink, after all threads have ended.
    """
    now = time.time
    clips = Channel[ClippedFrame | StreamEnd](config.queues.clips)
    results = Channel[DecidedFrame | DecidedEnd](config.queues.results)

    with StageGroup(shutdown.stop) as stages:
        shutdown.bind(stages.cancel)

        def read(video: VideoFile) -> Iterator[Frame | StreamEnd]:
            frames = Channel[Frame | StreamEnd](config.queues.frames)
            reader = read_frames(video, stop=shutdown.stop, now=now, opened=progress.opened)
            stages.start(f"read {video.camera_id}", reader, frames)
            return iter(frames)

        merged = merge_by_time(map(read, videos), at_once=config.replay.files_at_once)
        detected = detect_people(in_batches(merged, parts.detect_batch), parts.detector, now)
        tracked = track_people(detected, parts.new_tracker, now)
        cut = cut_clips(tracked, parts.clip_spec, stride_s=config.clip.stride_s)
        stages.start("perceive", cut if keep_pixels else drop_pixels(cut), clips)

        recognized = recognize_actions(clips.batches(config.queues.clips), parts.recognizer, now)
        decided = decide_actions(recognized, parts.labels, parts.policy, stamp, now)
        stages.start("recognize", decided, results)

        for item in results:
            for sink in sinks:
                sink.write(item)
            progress.advance(item)
