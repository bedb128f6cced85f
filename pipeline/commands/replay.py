"""One run of `replay`: from what the user asked for to the wired pipeline and back."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipeline.app import replay
from pipeline.components import build_components
from pipeline.config.schema import PipelineConfig
from pipeline.delivery.deliver import deliver_events
from pipeline.errors import ConfigError
from pipeline.outputs.annotated_video import AnnotatedVideoSink
from pipeline.outputs.sinks import JsonLinesSink, MotTracksSink, Sink, file_name
from pipeline.redaction import mask_url
from pipeline.redis_store.embedded_redis import running_server
from pipeline.runtime.shutdown import Shutdown
from pipeline.sources.video_files import VideoFile, find_videos
from pipeline.stages.decisions import EventStamp
from pipeline.telemetry.replay_progress import ReplayProgress

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What the user asked for, beside the configuration."""

    videos: tuple[str, ...]  # paths, directories, globs
    events: Path
    annotated: Path | None  # FILE.mp4 or a directory
    tracks: Path | None
    run_id: str
    wall_clock: bool


def run_replay(
    request: ReplayRequest,
    config: PipelineConfig,
    project: Path,
    console: Console,
    shutdown: Shutdown,
) -> bool:
    """Replay the files and print a summary.

    Args:
        request: files and outputs.
        config: everything else.
        project: where the files that the configuration names relatively may lie.
        console: for progress and summary.
        shutdown: how the run is asked to end.

    Returns:
        True if a file could not be read, or not to its end.

    Raises:
        PipelineError: if the run cannot start or one of its outputs fails.
    """
    videos = find_videos(request.videos)
    _check_outputs(request, videos)
    components = build_components(config, project)
    stamp = EventStamp(request.run_id, components.model_name, request.wall_clock)
    with ExitStack() as stack:
        sinks = _open_sinks(request, config, stack, shutdown)
        progress = stack.enter_context(ReplayProgress(console, time.monotonic))
        replay(
            videos,
            components,
            config,
            stamp,
            sinks,
            progress,
            shutdown,
            keep_pixels=request.annotated is not None,
        )
    progress.print_summary()
    return bool(progress.tally.errors)


def _check_outputs(request: ReplayRequest, videos: tuple[VideoFile, ...]) -> None:
    drawn = request.annotated
    is_file = drawn is not None and drawn.suffix.lower() == ".mp4"
    if is_file and len(videos) > 1:
        raise ConfigError(
            f"--annotated {drawn}: {len(videos)} videos cannot be drawn into one file; "
            "give a directory"
        )
    written = {"--events": {request.events}, "--annotated": set[Path]()}
    if drawn is not None:
        names = (drawn / file_name(video.camera_id, ".mp4") for video in videos)
        written["--annotated"] = {drawn} if is_file else set(names)
    read = {video.path.resolve() for video in videos}
    for option, paths in written.items():
        for path in sorted(paths):
            if path.resolve() in read:
                raise ConfigError(f"{option}: {path} is one of the videos to read; not overwritten")


def _open_sinks(
    request: ReplayRequest, config: PipelineConfig, stack: ExitStack, shutdown: Shutdown
) -> list[Sink]:
    sinks: list[Sink] = [stack.enter_context(JsonLinesSink(request.events))]
    log.info("events: %s", request.events)
    redis = config.redis
    if redis.url != "none":
        url = stack.enter_context(running_server(redis.url, config.output / "redis"))
        outboxes = config.output / "outbox"
        delivery = deliver_events(url, redis, outboxes, request.run_id, shutdown.now)
        sinks.append(stack.enter_context(delivery))
        log.info("events: %s, stream %s", mask_url(url), redis.stream)
    if request.tracks is not None:
        sinks.append(stack.enter_context(MotTracksSink(request.tracks)))
    if request.annotated is not None:
        sinks.append(stack.enter_context(AnnotatedVideoSink(request.annotated)))
    return sinks
