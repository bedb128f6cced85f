"""What Prometheus reads of a live run."""

from __future__ import annotations

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from pipeline.telemetry.prometheus import PrometheusMetrics
from pipeline.telemetry.snapshots import Snapshot
from tests.pipeline.snapshots import STARTED_AT, make_camera, make_snapshot


def render(snapshot: Snapshot) -> dict[str, Metric]:
    """Metrics by name as the parser returns it, without the suffix `_total`."""
    text, _ = PrometheusMetrics(lambda: snapshot).render()
    return {family.name: family for family in text_string_to_metric_families(text.decode())}


def numbers(snapshot: Snapshot) -> dict[tuple[str, ...], float]:
    """Values by the sample's name and its labels' values, in the order of the labels' names."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in render(snapshot).values()
        for sample in family.samples
        if sample.name.startswith("behaviour_")
    }


def test_every_number_of_a_camera_is_there() -> None:
    found = numbers(make_snapshot())
    of_gate = {key[0]: value for key, value in found.items() if key[1:] == ("gate",)}
    assert of_gate == {
        "behaviour_camera_state_since_timestamp_seconds": STARTED_AT + 1.5,
        "behaviour_camera_connects_total": 1.0,
        "behaviour_camera_frames_in_total": 2500.0,
        "behaviour_camera_frames_detected_total": 1250.0,
        "behaviour_camera_fps_in": 24.987,
        "behaviour_camera_fps_detected": 12.5,
        "behaviour_camera_staleness_seconds": 0.12345,
        "behaviour_camera_tracks": 3.0,
    }
    assert found["behaviour_camera_frames_dropped_total", "gate", "full"] == 7.0
    assert found["behaviour_camera_frames_dropped_total", "gate", "late"] == 0.0


def test_every_number_of_the_run_is_there() -> None:
    found = numbers(make_snapshot())
    assert {key: value for key, value in found.items() if "camera" not in key[0]} == {
        ("behaviour_queue_length", "frames"): 2.0,
        ("behaviour_queue_length", "clips"): 0.0,
        ("behaviour_clips_dropped_total",): 4.0,
        ("behaviour_clips_unscored_total",): 2.0,
        ("behaviour_batch_size_mean", "detect"): 3.5,
        ("behaviour_batch_size_mean", "recognize"): 6.0,
        ("behaviour_latency_seconds", "0.5", "detect"): 0.01,
        ("behaviour_latency_seconds", "0.95", "detect"): 0.02,
        ("behaviour_latency_seconds", "0.99", "detect"): 0.03,
        ("behaviour_latency_seconds", "0.5", "total"): 0.4,
        ("behaviour_latency_seconds", "0.95", "total"): 0.8,
        ("behaviour_latency_seconds", "0.99", "total"): 1.2,
        ("behaviour_end_to_end_latency_seconds", "0.5"): 0.4,
        ("behaviour_end_to_end_latency_seconds", "0.95"): 0.8,
        ("behaviour_end_to_end_latency_seconds", "0.99"): 1.2,
        ("behaviour_events_total", "fight", "gate", "start"): 2.0,
        ("behaviour_events_total", "", "gate", "camera_up"): 1.0,
        ("behaviour_alarms_total", "gate", "night", "critical"): 1.0,
        ("behaviour_outbox_waiting",): 0.0,
        ("behaviour_redis_up",): 1.0,
        ("behaviour_disk_up",): 1.0,
        ("behaviour_evidence_written_total", "snapshot"): 5.0,
        ("behaviour_evidence_written_total", "clip"): 4.0,
        ("behaviour_evidence_missing_total", "snapshot"): 0.0,
        ("behaviour_evidence_missing_total", "clip"): 1.0,
        ("behaviour_evidence_up",): 1.0,
        ("behaviour_gpu_memory_bytes",): 1_000_000.0,
        ("behaviour_healthy",): 1.0,
        ("behaviour_start_timestamp_seconds",): STARTED_AT,
    }


@pytest.mark.parametrize("state", ["connecting", "up", "down"])
def test_exactly_one_state_of_a_camera_is_1(state: str) -> None:
    found = numbers(make_snapshot(make_camera(state=state)))
    states = {key[2]: value for key, value in found.items() if key[0] == "behaviour_camera_state"}
    assert states == {"connecting": 0.0, "up": 0.0, "down": 0.0} | {state: 1.0}


def test_the_reason_is_there_while_a_camera_is_down() -> None:
    down = make_camera("yard", state="down", reason="timeout", detail="nothing came")
    found = numbers(make_snapshot(make_camera(), down))
    reasons = {key for key in found if key[0] == "behaviour_camera_down_info"}
    assert reasons == {("behaviour_camera_down_info", "yard", "timeout")}


def test_what_only_grows_is_a_counter_and_the_rest_are_gauges() -> None:
    families = render(make_snapshot())
    types = {name: one.type for name, one in families.items() if name.startswith("behaviour_")}
    assert {name for name, kind in types.items() if kind == "counter"} == {
        "behaviour_camera_connects",
        "behaviour_camera_frames_in",
        "behaviour_camera_frames_detected",
        "behaviour_camera_frames_dropped",
        "behaviour_clips_dropped",
        "behaviour_clips_unscored",
        "behaviour_events",
        "behaviour_alarms",
        "behaviour_zone_entered",
        "behaviour_zone_left",
        "behaviour_line_crossings",
        "behaviour_evidence_missing",
        "behaviour_evidence_written",
    }
    assert set(types.values()) == {"counter", "gauge", "histogram"}


def test_what_is_unknown_is_absent_instead_of_zero() -> None:
    camera = make_camera(staleness_s=None)
    names = {key[0] for key in numbers(make_snapshot(camera, gpu_memory_bytes=None, latency_s={}))}
    assert not names & {
        "behaviour_camera_staleness_seconds",
        "behaviour_gpu_memory_bytes",
        "behaviour_latency_seconds",
        "behaviour_end_to_end_latency_seconds",
    }


def test_errors_are_exposed_as_zeros() -> None:
    errors = {"redis_error": "it does not answer", "disk_error": "it is full"}
    found = numbers(make_snapshot(healthy=False, stuck="detect", **errors))
    assert (found["behaviour_healthy",], found["behaviour_redis_up",]) == (0.0, 0.0)
    assert found["behaviour_disk_up",] == 0.0


def test_any_camera_id_survives_the_text_format() -> None:
    camera_id = 'Tür "ost"\\1\n門'
    found = numbers(make_snapshot(make_camera(camera_id)))
    assert found["behaviour_camera_tracks", camera_id] == 3.0


def test_each_scrape_reads_the_current_state_of_the_run() -> None:
    snapshots = iter(
        [make_snapshot(outbox_waiting=1), make_snapshot(make_camera("yard"), outbox_waiting=2)]
    )
    metrics = PrometheusMetrics(lambda: next(snapshots))
    first, second = metrics.render()[0].decode(), metrics.render()[0].decode()
    assert "behaviour_outbox_waiting 1.0" in first
    assert "behaviour_outbox_waiting 2.0" in second
    assert '"yard"' in second
    assert '"gate"' not in second


def test_the_process_is_measured_too_and_two_runs_do_not_mix() -> None:
    PrometheusMetrics(make_snapshot)
    text, content_type = PrometheusMetrics(make_snapshot).render()
    assert b"process_resident_memory_bytes" in text
    assert b"python_info" in text
    assert text.count(b"behaviour_clips_dropped_total 4.0") == 1
    assert content_type.startswith("text/plain; version=0.0.4")
