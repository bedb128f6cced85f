"""The command `replay`: recognize the actions in recorded video."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.camera_list import idle_rules, unused_settings
from pipeline.commands.options import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    ConfigFile,
    OutputDir,
    RedisUrl,
    Settings,
    at_home,
    console,
    explained_errors,
    load,
    new_run_id,
    parse_time,
)
from pipeline.commands.preflight import check_weights, check_writable
from pipeline.config.shipped_files import PROJECT
from pipeline.errors import ConfigError
from pipeline.redaction import mask_url
from pipeline.runtime.shutdown import Shutdown, on_signals

# The rest is imported when a run begins: PyTorch takes seconds to load, and an error in the
# configuration is reported before.
if TYPE_CHECKING:
    from pipeline.config.schema import PipelineConfig
    from pipeline.outputs.sinks import Sink
    from pipeline.sources.recordings import Recording

log = logging.getLogger(__name__)

app = typer.Typer(rich_markup_mode="markdown")


@dataclass(frozen=True, slots=True)
class ReplayOutputs:
    """Where a replay is written, beside Redis."""

    events: Path
    annotated: Path | None  # FILE.mp4 or a directory
    tracks: Path | None  # a directory
    table: Path | None  # FILE.csv, .parquet or .xlsx


@app.command(
    epilog="""
**Examples**

`behaviour-stream replay street.mp4`

`behaviour-stream replay recordings/ --annotated drawn/ --tracks tracks/`

`behaviour-stream replay recordings/ --table actions.xlsx`  a row per action and alarm

`behaviour-stream replay 'day1/*.mp4' --redis redis://localhost:6379/0`

`behaviour-stream replay --camera gate 'recordings/gate/*.mp4'`  one camera, in pieces

`behaviour-stream replay a.mp4 --set detector.weights=yolo11s.pt --redis none --events a.jsonl`
"""
)
def replay(
    videos: Annotated[
        list[str] | None,
        typer.Argument(metavar="VIDEO...", help="Files, directories or globs."),
    ] = None,
    config_file: ConfigFile = None,
    settings: Settings = None,
    output: OutputDir = None,
    events: Annotated[
        Path | None,
        typer.Option(callback=at_home, help="JSON lines file; default OUTPUT/events.jsonl."),
    ] = None,
    annotated: Annotated[
        Path | None,
        typer.Option(
            callback=at_home, help="Draw into FILE.mp4, or one file per video into a DIR."
        ),
    ] = None,
    tracks: Annotated[
        Path | None,
        typer.Option(callback=at_home, help="DIR for one MOTChallenge text file per video."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            callback=at_home,
            metavar="FILE.csv|.parquet|.xlsx",
            help="A row per action and per alarm, written at the end.",
        ),
    ] = None,
    redis: RedisUrl = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Search directories to their full depth.")
    ] = False,
    camera: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VIDEO]",
            help="Pieces of one camera, in order of time: all VIDEOs, or those behind =.",
        ),
    ] = None,
    start_time: Annotated[
        str | None,
        typer.Option(
            metavar="ISO8601",
            help="When the recordings begin, e.g. 2026-11-25T10:00:00+01:00; default: as their "
            "containers state.",
        ),
    ] = None,
    wall_clock: Annotated[
        bool,
        typer.Option(
            "--wall-clock/--no-wall-clock",
            help="Without it the same input gives byte-identical events.",
        ),
    ] = True,
) -> None:
    """Recognize the actions in recorded video: every frame, the same events every time.

    Each file is a camera of its own, unless --camera makes one of several; all of them share one
    pipeline. Events go to a file of JSON
    lines and to a Redis stream, from which `subscribe` prints them.
    """
    shutdown = Shutdown()
    with explained_errors(), on_signals(shutdown, console.print):
        from pipeline.commands.recording_list import find_recordings

        config = load(config_file, settings, output, redis)
        outputs = ReplayOutputs(events or config.output / "events.jsonl", annotated, tracks, table)
        recordings = find_recordings(
            videos or (),
            camera or (),
            recursive=recursive,
            start_at=None if start_time is None else parse_time("--start-time", start_time),
            container_time=config.replay.container_time,
        )
        succeeded = _run(recordings, outputs, config, shutdown, wall_clock=wall_clock)
    if shutdown.requested:
        raise typer.Exit(EXIT_INTERRUPTED)
    if not succeeded:
        raise typer.Exit(EXIT_FAILED)


def _run(
    recordings: Sequence[Recording],
    outputs: ReplayOutputs,
    config: PipelineConfig,
    shutdown: Shutdown,
    *,
    wall_clock: bool,
) -> bool:
    """Replay the files and print a summary.

    Returns:
        Whether every file could be read to its end, and every drawn video and tracks file written.
    """
    _check_outputs(outputs, recordings)
    _check_writable(outputs, config)
    check_weights(config, PROJECT)
    recorded = [one.camera_id for one in recordings]
    for text in unused_settings(config.cameras, recorded) + idle_rules(config, recorded):
        log.warning("%s", text)
    from pipeline.commands.recording_list import warning_of_unknown_times
    from pipeline.components import build_components
    from pipeline.outputs.sinks import CameraFilesSink
    from pipeline.replay import UnreadableVideoError, replay_events
    from pipeline.telemetry.replay_progress import ReplayProgress
    from pipeline.telemetry.silence import RunLimits

    components = build_components(config, PROJECT)
    run_id = new_run_id() if wall_clock else "replay"
    with ExitStack() as stack:
        sinks = _open_sinks(outputs, config, run_id, shutdown, stack, wall_clock=wall_clock)
        progress = stack.enter_context(ReplayProgress(console, time.monotonic))
        timed = recordings if any(rule.schedule for rule in config.rules.values()) else ()
        run = replay_events(
            recordings,
            config,
            components=components,
            run_id=run_id,
            wall_clock=wall_clock,
            sinks=[*sinks, progress],
            keep_pixels=outputs.annotated is not None,
            opened=warning_of_unknown_times(timed, progress.opened),
            shutdown=shutdown,
        )
        try:
            for _ in run:  # the sinks have written it
                pass
        except UnreadableVideoError:  # the progress has shown it
            succeeded = False
        else:
            succeeded = True
    limits = RunLimits(
        config.detector.confidence, config.clip.max_gap_s, components.clip_spec.span_s
    )
    progress.print_summary(limits, alarms=bool(config.rules))
    written = not any(isinstance(sink, CameraFilesSink) and sink.errors for sink in sinks)
    return succeeded and written


def _check_outputs(outputs: ReplayOutputs, videos: Sequence[Recording]) -> None:
    from pipeline.outputs.table import check_table_path

    written = {"--events": {outputs.events}}
    if outputs.table is not None:
        check_table_path(outputs.table)
        written["--table"] = {outputs.table}
    if outputs.annotated is not None:
        written["--annotated"] = _drawn_files(outputs.annotated, videos)
    # Not Path.resolve, which raises at a symbolic link that leads to itself.
    read = {os.path.realpath(piece.path) for video in videos for piece in video.pieces}
    for option, paths in written.items():
        for path in sorted(paths):
            if os.path.realpath(path) in read:
                raise ConfigError(f"{option}: {path} is one of the videos to read; not overwritten")


def _drawn_files(target: Path, videos: Sequence[Recording]) -> set[Path]:
    from pipeline.outputs.sinks import file_name, is_one_video
    from pipeline.sources.video_search import VIDEO_SUFFIXES

    if not is_one_video(target):
        if target.suffix.lower() in VIDEO_SUFFIXES and not target.is_dir():
            raise ConfigError(f"--annotated {target}: expected FILE.mp4 or a directory")
        return {target / file_name(video.camera_id, ".mp4") for video in videos}
    if len(videos) > 1:
        raise ConfigError(
            f"--annotated {target}: {len(videos)} videos cannot be drawn into one file; "
            "give a directory"
        )
    return {target}


def _check_writable(outputs: ReplayOutputs, config: PipelineConfig) -> None:
    from pipeline.outputs.sinks import is_one_video

    check_writable("--events", outputs.events.parent)
    check_writable("--output", config.output)
    if config.observations.keep:
        check_writable("observations.folder", config.observations.folder_under(config.output))
    if outputs.tracks is not None:
        check_writable("--tracks", outputs.tracks)
    if outputs.table is not None:
        check_writable("--table", outputs.table.parent)
    if (drawn := outputs.annotated) is not None:
        check_writable("--annotated", drawn.parent if is_one_video(drawn) else drawn)


def _open_sinks(
    outputs: ReplayOutputs,
    config: PipelineConfig,
    run_id: str,
    shutdown: Shutdown,
    stack: ExitStack,
    *,
    wall_clock: bool,
) -> list[Sink]:
    from pipeline.camera_settings import camera_rules
    from pipeline.delivery.counts import deliver_counts
    from pipeline.delivery.deliver import deliver_events
    from pipeline.outputs.annotated_video import AnnotatedVideoSink
    from pipeline.outputs.sinks import JsonLinesSink, MotTracksSink
    from pipeline.outputs.table import TableSink
    from pipeline.redis_store.embedded_redis import running_server

    sinks: list[Sink] = [stack.enter_context(JsonLinesSink(outputs.events))]
    log.info("events: %s", outputs.events)
    redis = config.redis
    if redis.url != "none":
        url = stack.enter_context(running_server(redis.url, config.output / "redis"))
        outboxes = config.output / "outbox"
        delivery = deliver_events(url, redis, outboxes, run_id, shutdown.now)
        sinks.append(stack.enter_context(delivery))
        log.info("events: %s, stream %s", mask_url(url), redis.stream)
        if redis.counts_stream is not None:
            counts = deliver_counts(
                url,
                redis,
                run_id,
                lambda frame: frame.recorded_at if wall_clock else None,
                shutdown.now,
                is_live=False,
            )
            sinks.append(stack.enter_context(counts))
    if outputs.tracks is not None:
        sinks.append(stack.enter_context(MotTracksSink(outputs.tracks)))
    if outputs.table is not None:
        sinks.append(stack.enter_context(TableSink(outputs.table)))
    if outputs.annotated is not None:
        annotated = AnnotatedVideoSink(outputs.annotated, partial(camera_rules, config))
        sinks.append(stack.enter_context(annotated))
    return sinks
