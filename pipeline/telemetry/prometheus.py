"""Metrics of a live run for Prometheus; the only file that imports its client library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from pipeline.telemetry.snapshots import CameraSnapshot, CameraState, Snapshot
from pipeline.telemetry.zone_statistics import DWELL_BOUNDS_S, CameraZones

_QUANTILES = ("0.5", "0.95", "0.99")

Row = tuple[Sequence[str], float]  # label values and the sample


class PrometheusMetrics:
    """Render the metrics of a run and its process in the text exposition format.

    Args:
        snapshot: returns the current state; called once per `render`.
        zones: returns the zones and lines of each camera; likewise.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        zones: Callable[[], Sequence[CameraZones]] = tuple,
    ) -> None:
        self._registry = CollectorRegistry()  # not the global one: two runs must not mix
        self._registry.register(_RunCollector(snapshot))
        self._registry.register(_ZoneCollector(zones))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def render(self) -> tuple[bytes, str]:
        """Return the text and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4


class _RunCollector(Collector):
    """Build the metrics from each snapshot, so that a removed camera has none."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        snapshot = self._snapshot()
        yield from _camera_states(snapshot.cameras)
        yield from _camera_frames(snapshot.cameras)
        yield from _camera_events(snapshot.cameras)
        yield from _work(snapshot)
        yield from _latencies(snapshot)
        yield from _run(snapshot)


class _ZoneCollector(Collector):
    """Build the metrics of zones and lines, so that one that a reload removed has none."""

    def __init__(self, cameras: Callable[[], Sequence[CameraZones]]) -> None:
        self._cameras = cameras

    def collect(self) -> Iterable[Metric]:
        cameras = self._cameras()
        zones = [
            ((camera.camera_id, name), zone)
            for camera in cameras
            for name, zone in camera.zones.items()
        ]
        labels = ("camera", "zone")
        people = "People in the zone now"
        yield _gauge("zone_people", people, ((one, zone.people) for one, zone in zones), labels)
        entered = "People who entered the zone"
        yield _counter(
            "zone_entered", entered, ((one, zone.entered) for one, zone in zones), labels
        )
        left = "People who left the zone, or were no longer tracked in it"
        yield _counter("zone_left", left, ((one, zone.left) for one, zone in zones), labels)
        dwell = HistogramMetricFamily(
            "behaviour_zone_dwell_seconds",
            "Time that people who left the zone had been in it",
            labels=labels,
        )
        bounds = (*map(str, DWELL_BOUNDS_S), "+Inf")
        for one, zone in zones:
            buckets = list(zip(bounds, accumulate(zone.stays), strict=True))
            dwell.add_metric(one, buckets, zone.dwell_s)
        yield dwell
        yield _counter(
            "line_crossings",
            "Times a person crossed the line",
            (
                ((camera.camera_id, line, direction), count)
                for camera in cameras
                for (line, direction), count in camera.crossings.items()
            ),
            ("camera", "line", "direction"),
        )


def _camera_states(cameras: Sequence[CameraSnapshot]) -> Iterator[Metric]:
    yield _gauge(
        "camera_state",
        "1 for the current state of the camera, 0 for the others",
        (
            ((one.camera_id, state), float(one.state == state))
            for one in cameras
            for state in get_args(CameraState)
        ),
        ("camera", "state"),
    )
    yield _gauge(
        "camera_down_info",
        "1 while the camera is down, with the reason",
        (
            ((one.camera_id, one.reason), 1.0)
            for one in cameras
            if one.state == "down" and one.reason is not None
        ),
        ("camera", "reason"),
    )
    yield _gauge(
        "camera_state_since_timestamp_seconds",
        "Unix time of the camera's last change of state",
        (((one.camera_id,), one.since) for one in cameras),
        ("camera",),
    )
    yield _counter(
        "camera_connects",
        "Number of times the camera came up",
        (((one.camera_id,), one.connects) for one in cameras),
        ("camera",),
    )


def _camera_frames(cameras: Sequence[CameraSnapshot]) -> Iterator[Metric]:
    yield _counter(
        "camera_frames_in",
        "Frames that were selected for processing",
        (((one.camera_id,), one.frames_in) for one in cameras),
        ("camera",),
    )
    yield _counter(
        "camera_frames_detected",
        "Frames that were processed by the detector",
        (((one.camera_id,), one.frames_detected) for one in cameras),
        ("camera",),
    )
    yield _counter(
        "camera_frames_dropped",
        "Frames that were dropped, by cause",
        (((one.camera_id, cause), count) for one in cameras for cause, count in one.drops.items()),
        ("camera", "cause"),
    )
    yield _gauge(
        "camera_fps_in",
        "Frames per second that were selected for processing, over the last minute",
        (((one.camera_id,), one.fps_in) for one in cameras),
        ("camera",),
    )
    yield _gauge(
        "camera_fps_detected",
        "Frames per second that were processed by the detector, over the last minute",
        (((one.camera_id,), one.fps_detected) for one in cameras),
        ("camera",),
    )
    yield _gauge(
        "camera_staleness_seconds",
        "Age of the newest frame when it entered detection",
        (((one.camera_id,), one.staleness_s) for one in cameras if one.staleness_s is not None),
        ("camera",),
    )
    yield _gauge(
        "camera_tracks",
        "People tracked in the newest frame",
        (((one.camera_id,), one.tracks) for one in cameras),
        ("camera",),
    )


def _camera_events(cameras: Sequence[CameraSnapshot]) -> Iterator[Metric]:
    yield _counter(
        "events",
        "Events decided, by action (empty for those of cameras, alarms and evidence) and kind",
        (
            ((one.camera_id, action, kind), count)
            for one in cameras
            for (action, kind), count in one.events.items()
        ),
        ("camera", "action", "kind"),
    )
    yield _counter(
        "alarms",
        "Alarms that started, by rule and severity",
        (
            ((one.camera_id, rule, severity), count)
            for one in cameras
            for (rule, severity), count in one.alarms.items()
        ),
        ("camera", "rule", "severity"),
    )


def _work(snapshot: Snapshot) -> Iterator[Metric]:
    yield _gauge(
        "queue_length",
        "Items waiting in a queue",
        (((name,), length) for name, length in snapshot.queues.items()),
        ("queue",),
    )
    yield _counter(
        "clips_dropped",
        "Clips that were dropped as too old for the recognizer",
        [((), snapshot.dropped_clips)],
    )
    yield _counter(
        "clips_unscored",
        "Clips that nothing was decided on, because their scores were not finite numbers",
        [((), snapshot.unscored_clips)],
    )
    yield _gauge(
        "batch_size_mean",
        "Mean batch size of a network over the last minute",
        [(("detect",), snapshot.detect_batch), (("recognize",), snapshot.recognize_batch)],
        ("network",),
    )


def _latencies(snapshot: Snapshot) -> Iterator[Metric]:
    yield _gauge(
        "latency_seconds",
        "Processing time of frames by stage, over the last minute",
        (
            ((stage, quantile), seconds)
            for stage, values in snapshot.latency_s.items()
            for quantile, seconds in zip(_QUANTILES, values, strict=True)
        ),
        ("stage", "quantile"),
    )
    yield _gauge(
        "end_to_end_latency_seconds",
        "Time from the capture of a frame to its events, over the last minute",
        (
            ((quantile,), seconds)
            for quantile, seconds in zip(_QUANTILES, snapshot.end_to_end_s or (), strict=False)
        ),
        ("quantile",),
    )


def _run(snapshot: Snapshot) -> Iterator[Metric]:
    yield _gauge(
        "outbox_waiting", "Events that Redis has not received yet", [((), snapshot.outbox_waiting)]
    )
    yield _gauge(
        "redis_up",
        "1 while Redis accepts events, else 0",
        [((), float(snapshot.redis_error is None))],
    )
    yield _gauge(
        "disk_up",
        "1 while the disk accepts events, else 0",
        [((), float(snapshot.disk_error is None))],
    )
    yield from _evidence(snapshot)
    if snapshot.gpu_memory_bytes is not None:
        yield _gauge(
            "gpu_memory_bytes", "GPU memory that PyTorch holds", [((), snapshot.gpu_memory_bytes)]
        )
    yield _gauge("healthy", "0 while a stage is stuck, else 1", [((), float(snapshot.healthy))])
    yield _gauge(
        "start_timestamp_seconds", "Unix time of the run's start", [((), snapshot.started_at)]
    )


def _evidence(snapshot: Snapshot) -> Iterator[Metric]:
    for name, text, files in (
        ("evidence_written", "Snapshots and clips that were written", snapshot.evidence_written),
        (
            "evidence_missing",
            "Snapshots and clips that could not be written",
            snapshot.evidence_missing,
        ),
    ):
        rows = [((media,), files.get(media, 0)) for media in ("snapshot", "clip")]
        yield _counter(name, text, rows, ("media",))
    yield _gauge(
        "evidence_up",
        "1 while snapshots and clips can be written, else 0",
        [((), float(snapshot.evidence_error is None))],
    )


def _gauge(
    name: str, text: str, rows: Iterable[Row], labels: Sequence[str] = ()
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"behaviour_{name}", text, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _counter(
    name: str, text: str, rows: Iterable[Row], labels: Sequence[str] = ()
) -> CounterMetricFamily:
    """Make a counter; the text format adds `_total` to its name."""
    family = CounterMetricFamily(f"behaviour_{name}", text, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family
