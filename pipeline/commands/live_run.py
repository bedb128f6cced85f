"""One run of `live`: from what the user asked for to the wired pipeline and back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from models.inference.device import gpu_memory_bytes
from pipeline.app import live
from pipeline.components import build_components
from pipeline.config.schema import PipelineConfig
from pipeline.delivery.camera_heartbeat import CameraHeartbeat
from pipeline.delivery.deliver import deliver_events
from pipeline.delivery.outbox import StoredEvent
from pipeline.events import ActionEvent, decode_event
from pipeline.live.camera_source import CameraSource
from pipeline.live.supervisor import Supervisor
from pipeline.outputs.sinks import JsonLinesSink, Sink
from pipeline.redaction import mask_url
from pipeline.redis_store.embedded_redis import running_server
from pipeline.runtime.shutdown import Shutdown
from pipeline.stages.decisions import EventStamp
from pipeline.telemetry.health_server import HealthServer
from pipeline.telemetry.prometheus import PrometheusMetrics
from pipeline.telemetry.run_status import RunStatus
from pipeline.telemetry.snapshots import LiveView
from pipeline.telemetry.systemd import SystemdNotifier

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """What the user asked for, beside the configuration."""

    cameras: tuple[CameraSource, ...]
    reload: Callable[[], tuple[CameraSource, ...]]  # from the configuration as it is then
    events: Path | None
    run_id: str


def run_live(
    request: LiveRequest,
    config: PipelineConfig,
    project: Path,
    console: Console,
    shutdown: Shutdown,
    reload_asked: threading.Event,
    service: SystemdNotifier,
) -> None:
    """Watch cameras until told to stop.

    Args:
        request: cameras and outputs.
        config: everything else; a reload changes the cameras alone.
        project: where the files that the configuration names relatively may lie.
        console: for the line every ten seconds.
        shutdown: how the run is asked to end.
        reload_asked: set when the cameras shall be read again.
        service: systemd, or nobody.

    Raises:
        PipelineError: if the run cannot start or one of its outputs fails.
    """
    status = RunStatus()
    view = LiveView(status, config.live.stuck_s, gpu_memory_bytes)
    with ExitStack() as stack:
        if config.live.health is not None:
            metrics = PrometheusMetrics(view)
            server = stack.enter_context(HealthServer(config.live.health, view, metrics.render))
            log.info("health: port %d, /health and /metrics", server.port)
        components = build_components(config, project)
        sinks = _open_sinks(request, config, stack, shutdown, status, view)
        watch = Supervisor(
            view,
            partial(_say, console),
            config.live.report_interval_s,
            request.reload,
            reload_asked,
            service,
        )
        stamp = EventStamp(request.run_id, components.model_name, wall_clock=True)
        live(request.cameras, components, config, stamp, sinks, status, view, watch, shutdown)


def _open_sinks(
    request: LiveRequest,
    config: PipelineConfig,
    stack: ExitStack,
    shutdown: Shutdown,
    status: RunStatus,
    view: LiveView,
) -> list[Sink]:
    sinks: list[Sink] = []
    if request.events is not None:
        sinks.append(stack.enter_context(JsonLinesSink(request.events, keep=True)))
        log.info("events: %s", request.events)
    redis = config.redis
    if redis.url != "none":
        url = stack.enter_context(running_server(redis.url, config.output / "redis"))
        delivery = deliver_events(
            url,
            redis,
            config.output / "outbox",
            request.run_id,
            shutdown.now,
            spool=True,
            heartbeat=CameraHeartbeat(request.run_id, drops=status.drops),
            published=partial(_note_published, status),
        )
        sink = stack.enter_context(delivery)
        view.delivery = sink.publisher
        sinks.append(sink)
        log.info("events: %s, stream %s", mask_url(url), redis.stream)
    return sinks


def _say(console: Console, line: str) -> None:
    # A log on a full disk, or whose reader has gone, does not end the watching of cameras; rich
    # leaves the program at a broken pipe.
    with suppress(OSError, SystemExit):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _note_published(status: RunStatus, stored: StoredEvent, at: float) -> None:
    event = decode_event(stored.text)
    if isinstance(event, ActionEvent) and event.latency_ms:
        waited_s = at - stored.kept_since
        total_s = event.latency_ms["total"] / 1e3 + waited_s
        status.published({"publish": waited_s, "end_to_end": total_s})
