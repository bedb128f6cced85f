"""The command `live`: recognize actions in live cameras until it is stopped."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.camera_list import find_cameras, idle_rules, past_schedules
from pipeline.commands.options import (
    ConfigFile,
    OutputDir,
    RedisUrl,
    Settings,
    at_home,
    console,
    explained_errors,
    load,
    new_run_id,
)
from pipeline.commands.preflight import check_weights, check_writable
from pipeline.config.shipped_files import PROJECT
from pipeline.events import ActionEvent, decode_event
from pipeline.redaction import mask_url
from pipeline.runtime.shutdown import Shutdown, on_hangup, on_signals
from pipeline.telemetry.systemd import SystemdNotifier

# The rest is imported when a run begins: PyTorch takes seconds to load, and an error in the
# configuration is reported before.
if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.commands.live_report import LiveReport
    from pipeline.config.schema import PipelineConfig
    from pipeline.delivery.storage.outbox_file import StoredEvent
    from pipeline.live.camera_source import CameraSource
    from pipeline.live.supervisor import Operator
    from pipeline.outputs.sinks import Sink
    from pipeline.telemetry.run_status import RunStatus

log = logging.getLogger(__name__)

app = typer.Typer(rich_markup_mode="markdown")


@app.command(
    epilog="""
**Examples**

`behaviour-stream live rtsp://10.0.0.8/main rtsp://10.0.0.9/main`

`behaviour-stream live gate=rtsp://viewer:secret@10.0.0.8/main --redis redis://localhost:6379/0`

`behaviour-stream live --config cameras.yaml`  cameras with names and passwords from files

`behaviour-stream live 0`  the first webcam

`behaviour-stream live 'street.mp4?live&loop'`  a recording, played like a camera

`curl http://127.0.0.1:8787/health`  its status; `/metrics` for Prometheus

`kill -HUP PID`  read cameras, zones, schedules and rules of --config again
"""
)
def live(
    cameras: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]SOURCE...",
            help="rtsp://, rtsps://, http(s):// (MJPEG, HLS), rtmp://, a webcam's number or "
            "FILE?live; more in the section cameras of --config.",
        ),
    ] = None,
    config_file: ConfigFile = None,
    settings: Settings = None,
    output: OutputDir = None,
    events: Annotated[
        Path | None,
        typer.Option(callback=at_home, help="JSON lines file to which the events are appended."),
    ] = None,
    redis: RedisUrl = None,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="Play files like cameras, at their own pace.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print neither actions nor status lines.")
    ] = False,
) -> None:
    """Recognize the actions in front of live cameras, day and night.

    A camera that is lost is opened again until it is back. What the machine cannot process is
    dropped and counted, so that events are never late. Actions are printed as they start and end;
    the status goes to standard error. Events go to a Redis stream, from which
    `subscribe` prints them, and wait on disk while Redis is unavailable.
    """
    shutdown, reload_requested = Shutdown(), threading.Event()
    with explained_errors(), on_signals(shutdown, console.print), on_hangup(reload_requested):
        config = load(config_file, settings, output, redis)

        def find(current: PipelineConfig) -> tuple[CameraSource, ...]:
            return find_cameras(
                cameras or (), current.live, current.cameras, os.environ, realtime=realtime
            )

        sources = find(config)
        _warn_of_idle_rules(config, sources)
        check_weights(config, PROJECT)
        check_writable("--output", config.output)
        if config.observations.keep:
            check_writable("observations.folder", config.observations.folder_under(config.output))
        if events is not None:
            check_writable("--events", events.parent)
        from pipeline.commands.live_report import LiveReport
        from pipeline.live.supervisor import Operator

        names = [source.camera_id for source in sources]
        report = LiveReport(names, None if quiet else sys.stdout, time.monotonic)
        operator = Operator(
            print_line=partial(_print_line, console),
            report_interval_s=0.0 if quiet else config.live.report_interval_s,
            load_cameras=lambda: sources,
            reload_requested=reload_requested,
            systemd=SystemdNotifier.from_environment(os.environ),
            print_waiting=report.print_waiting,
        )

        def reload(apply: Callable[[PipelineConfig], None]) -> tuple[CameraSource, ...]:
            changed = load(config_file, settings, output, redis)
            found = find(changed)
            apply(changed)  # last: what is wrong leaves everything as it is
            _warn_of_idle_rules(changed, found)
            return found

        _run(sources, config, events, report, operator, shutdown, reload)
        if not quiet:
            report.print_summary(console)


def _run(
    sources: Sequence[CameraSource],
    config: PipelineConfig,
    events: Path | None,
    report: LiveReport,
    operator: Operator,
    shutdown: Shutdown,
    reload: Callable[[Callable[[PipelineConfig], None]], Sequence[CameraSource]],
) -> None:
    from models.inference.device import gpu_memory_bytes
    from pipeline.app import live as run_stages
    from pipeline.camera_settings import CameraSettings
    from pipeline.components import build_components
    from pipeline.stages.decisions import EventStamp
    from pipeline.telemetry.health_server import HealthServer
    from pipeline.telemetry.prometheus import PrometheusMetrics
    from pipeline.telemetry.run_status import RunStatus
    from pipeline.telemetry.zone_statistics import ZoneStatistics

    run_id, zones = new_run_id(), ZoneStatistics()
    status = RunStatus(stuck_s=config.live.stuck_s, gpu_memory=gpu_memory_bytes)
    with ExitStack() as stack:
        if config.live.health is not None:
            render = PrometheusMetrics(status.snapshot, zones.snapshot).render
            hosts = config.live.health_hosts
            server = HealthServer(config.live.health, status.snapshot, render, hosts=hosts)
            stack.enter_context(server)
            log.info("health: port %d, /health and /metrics", server.port)
        components = build_components(config, PROJECT)
        alarms = [(name, rule.severity) for name, rule in config.rules.items()]
        status.expect(components.policy.rules, alarms)
        settings = CameraSettings(config, components.known, components.policy)
        operator = replace(operator, load_cameras=partial(reload, settings.reload))
        sinks = _open_sinks(events, config, run_id, status, shutdown, stack)
        stamp = EventStamp(run_id, components.model_name, wall_clock=True)
        sinks += [zones, report]
        report.start()
        run = run_stages(
            sources, components, config, stamp, sinks, status, operator, shutdown, settings
        )
        for _ in run:  # the sinks have written it
            pass
        report.print_waiting()


def _open_sinks(
    events: Path | None,
    config: PipelineConfig,
    run_id: str,
    status: RunStatus,
    shutdown: Shutdown,
    stack: ExitStack,
) -> list[Sink]:
    from pipeline.delivery.camera_heartbeat import CameraHeartbeat
    from pipeline.delivery.counts import deliver_counts
    from pipeline.delivery.deliver import deliver_events
    from pipeline.outputs.sinks import JsonLinesSink
    from pipeline.redis_store.embedded_redis import running_server

    sinks: list[Sink] = []
    if events is not None:
        lines = stack.enter_context(JsonLinesSink(events, keep=True, tolerant=True))
        status.register_disk(lines)
        sinks.append(lines)
        log.info("events: %s", events)
    redis = config.redis
    if redis.url != "none":
        url = stack.enter_context(running_server(redis.url, config.output / "redis"))
        delivery = deliver_events(
            url,
            redis,
            config.output / "outbox",
            run_id,
            shutdown.now,
            spool=True,
            heartbeat=CameraHeartbeat(run_id, drops=status.drops),
            published=partial(_record_published, status),
        )
        sink = stack.enter_context(delivery)
        status.register_publisher(sink.publisher)
        status.register_disk(sink.publisher)
        sinks.append(sink)
        log.info("events: %s, stream %s", mask_url(url), redis.stream)
        if redis.counts_stream is not None:
            counts = deliver_counts(
                url, redis, run_id, lambda frame: frame.seen_at, shutdown.now, is_live=True
            )
            sinks.append(stack.enter_context(counts))
    return sinks


def _warn_of_idle_rules(config: PipelineConfig, sources: Sequence[CameraSource]) -> None:
    idle = idle_rules(config, [source.camera_id for source in sources])
    for text in idle + past_schedules(config, datetime.now(UTC)):
        log.warning("%s", text)


def _print_line(console: Console, line: str) -> None:
    # A log on a full disk, or a closed pipe, does not end the run; rich exits at a broken pipe.
    with suppress(OSError, SystemExit):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _record_published(status: RunStatus, stored: StoredEvent, at: float) -> None:
    event = decode_event(stored.text)
    if isinstance(event, ActionEvent) and event.latency_ms:
        waited_s = at - stored.kept_since
        total_s = event.latency_ms["total"] / 1e3 + waited_s
        status.published({"publish": waited_s, "end_to_end": total_s})
