"""The pages over real HTTP on loopback."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.errors import ConfigError, PipelineError
from pipeline.telemetry import health_server
from pipeline.telemetry.health_server import HealthServer, health_of
from pipeline.telemetry.prometheus import PrometheusMetrics
from pipeline.telemetry.snapshots import Snapshot
from tests.pipeline.snapshots import STARTED_AT, make_camera, make_snapshot


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def page(self) -> dict[str, Any]:
        return json.loads(self.body)


def ask(
    port: int, path: str, method: str = "GET", host: str = "127.0.0.1", name: str | None = None
) -> Answer:
    headers = {} if name is None else {"Host": name}
    with closing(http.client.HTTPConnection(host, port, timeout=60)) as connection:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


@contextmanager
def serving(
    snapshot: Callable[[], Snapshot] = make_snapshot, address: str = "127.0.0.1:0"
) -> Iterator[int]:
    metrics = PrometheusMetrics(snapshot).render
    with HealthServer(address, snapshot, metrics, now=lambda: STARTED_AT + 100.25) as server:
        yield server.port


def connect_silently(port: int) -> socket.socket:
    """A client that is being served when this returns: the next one is accepted after it."""
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    assert ask(port, "/").status == 200
    return client


def test_a_run_in_good_order_is_ok() -> None:
    with serving() as port:
        answer = ask(port, "/health")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    page = answer.page
    gate = page.pop("cameras").pop("gate")
    assert page == {
        "status": "ok",
        "stuck": None,
        "started_at": "2026-01-01T00:00:00.000Z",
        "uptime_s": 100.2,
        "queues": {"frames": 2, "clips": 0},
        "dropped_clips": 4,
        "unscored_clips": 2,
        "detect_batch": 3.5,
        "recognize_batch": 6.0,
        "latency_s": {
            "detect": {"p50": 0.01, "p95": 0.02, "p99": 0.03},
            "total": {"p50": 0.4, "p95": 0.8, "p99": 1.2},
        },
        "events": 42,
        "outbox": {"waiting": 0, "redis_trouble": None},
        "disk_trouble": None,
        "evidence": {
            "trouble": None,
            "written": {"snapshot": 5, "clip": 4},
            "missing": {"clip": 1},
        },
        "gpu_memory_bytes": 1_000_000,
    }
    assert gate.pop("drops")["full"] == 7
    assert gate == {
        "state": "up",
        "reason": None,
        "detail": None,
        "since": "2026-01-01T00:00:01.500Z",
        "fps_in": 24.99,
        "fps_detected": 12.5,
        "frames_in": 2500,
        "frames_detected": 1250,
        "staleness_s": 0.123,
        "tracks": 3,
        "connects": 1,
        "wh": [1920, 1080],
    }


def test_a_camera_that_is_down_degrades_the_page() -> None:
    down = make_camera("yard", state="down", reason="timeout", detail="nothing came", wh=None)
    with serving(lambda: make_snapshot(make_camera(), down)) as port:
        answer = ask(port, "/health")
    assert (answer.status, answer.page["status"]) == (200, "degraded")
    yard = answer.page["cameras"]["yard"]
    assert (yard["state"], yard["reason"], yard["detail"]) == ("down", "timeout", "nothing came")


def test_redis_that_is_away_degrades_the_page() -> None:
    with serving(lambda: make_snapshot(redis_error="away", outbox_waiting=9)) as port:
        answer = ask(port, "/health")
    assert (answer.status, answer.page["status"]) == (200, "degraded")
    assert answer.page["outbox"] == {"waiting": 9, "redis_trouble": "away"}


def test_a_full_disk_degrades_the_page() -> None:
    with serving(lambda: make_snapshot(disk_error="it is full")) as port:
        answer = ask(port, "/health")
    assert (answer.status, answer.page["status"]) == (200, "degraded")
    assert answer.page["disk_trouble"] == "it is full"


def test_a_run_that_is_stuck_is_unavailable() -> None:
    stuck = make_snapshot(make_camera(state="down"), healthy=False, stuck="detect for 70 s")
    with serving(lambda: stuck) as port:
        answer = ask(port, "/health")
    assert (answer.status, answer.page["status"]) == (503, "stuck")
    assert answer.page["stuck"] == "detect for 70 s"


def test_a_camera_that_never_came_up_is_no_good_order() -> None:
    assert health_of(make_snapshot(make_camera(state="connecting"))) == "degraded"


def test_prometheus_reads_the_metrics() -> None:
    with serving() as port:
        answer = ask(port, "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.body.decode())
    assert "behaviour_events" in {family.name for family in families}


def test_the_root_names_the_pages() -> None:
    with serving() as port:
        answer = ask(port, "/?a=query")
    assert answer.status == 200
    assert b"/health" in answer.body
    assert b"/metrics" in answer.body


@pytest.mark.parametrize("path", ["/healthz", "/health/", "/../etc/passwd", "*"])
def test_another_path_is_not_found(path: str) -> None:
    with serving() as port:
        assert ask(port, path).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_another_method_is_not_allowed(method: str) -> None:
    with serving() as port:
        answer = ask(port, "/health", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/health", "/metrics"])
def test_head_returns_only_the_headers(path: str) -> None:
    with serving() as port:
        answer = ask(port, path, "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0


def test_nonsense_is_refused_and_the_next_one_served() -> None:
    with serving() as port:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(b"\x16\x03\x01 this is TLS\r\n\r\n")
            assert b"400" in client.recv(1000)
        assert ask(port, "/health").status == 200


def test_a_fault_of_ours_is_an_error_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def break_down() -> Snapshot:
        raise ZeroDivisionError

    with serving(break_down) as port:
        assert ask(port, "/health").status == 500
        assert ask(port, "/").status == 200
    assert "/health" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_requests_are_not_written_to_standard_error(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with serving() as port:
        ask(port, "/health")
        ask(port, "/nowhere")
    assert capfd.readouterr().err == ""
    assert caplog.text == ""


def test_silent_clients_delay_neither_others_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_server._Handler, "timeout", None)  # nothing else would end them
    with serving() as port:
        silent = [connect_silently(port) for _ in range(5)]
        assert ask(port, "/health").status == 200
    for client in silent:
        with client:
            assert client.recv(1) == b""  # hung up on


def test_a_silent_client_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_server._Handler, "timeout", 0.05)
    with serving() as port, socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        assert client.recv(1) == b""


def test_one_more_client_than_threads_takes_the_place_of_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health_server, "_MAX_CLIENTS", 3)
    with serving() as port:
        clients = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(3)]
        assert ask(port, "/health").status == 200
        assert clients[0].recv(1) == b""
        for client in clients[1:]:  # who were faster are served
            client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            assert client.recv(15) == b"HTTP/1.0 200 OK"
        for client in clients:
            client.close()


def test_clients_that_wait_for_a_page_keep_their_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a page that hangs would have one thread more with every request of a monitor."""
    monkeypatch.setattr(health_server, "_MAX_CLIENTS", 1)
    asked, go_on = threading.Event(), threading.Event()

    def hang() -> Snapshot:
        asked.set()
        go_on.wait()
        return make_snapshot()

    with serving(hang) as port, socket.create_connection(("127.0.0.1", port), timeout=60) as first:
        first.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert asked.wait(20)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as second:
            assert second.recv(1) == b""
        go_on.set()
        assert first.recv(15) == b"HTTP/1.0 200 OK"


@pytest.mark.parametrize(
    "begun", [b"", b"GET /heal", b"GET /health HTTP/1.0\r\nX: ", b"GET /health HTTP/1.0\r\n"]
)
def test_a_request_that_trickles_is_cut(monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(health_server, "_REQUEST_S", 0.3)
    monkeypatch.setattr(health_server, "_POLL_S", 0.02)
    with serving() as port, socket.create_connection(("127.0.0.1", port), timeout=0.02) as client:
        client.sendall(begun)
        ended = False
        for _ in range(1000):  # a byte each 20 ms: each is in time, and all together are not
            try:
                client.sendall(b"a")
                ended = client.recv(1000) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
            if ended:
                break
        assert ended
        assert ask(port, "/health").status == 200


@pytest.mark.parametrize(
    "name",
    [
        "127.0.0.1",
        "10.0.0.8:8787",
        "[::1]:8787",
        "[fe80::1%25eth0]",
        "localhost",
        "LOCALHOST:8787",
        "localhost.",
        "live",
        "Cameras.Example.com:8787",
        socket.gethostname(),
    ],
)
def test_an_address_or_a_known_name_is_served(name: str) -> None:
    hosts = ("live", "cameras.example.com")
    render = PrometheusMetrics(make_snapshot).render
    with HealthServer("127.0.0.1:0", make_snapshot, render, hosts=hosts) as server:
        assert ask(server.port, "/health", name=name).status == 200


@pytest.mark.parametrize(
    "name",
    [
        "evil.example",
        "evil.example:8787",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "user@localhost",
        "0x7f.1",
        "a\x1b[2J",
        "",
    ],
)
def test_another_name_is_refused_with_the_key(name: str) -> None:
    """A page of another site could let its own name lead here, and read who is seen where."""
    with serving() as port:
        answer = ask(port, "/health", name=name)
        assert ask(port, "/metrics", name=name).status == 421
    assert answer.status == 421
    assert b"live.health_hosts" in answer.body
    assert answer.body.decode().strip().isprintable()


def test_the_name_in_the_address_is_served() -> None:
    with serving(address="localhost:0") as port:
        assert ask(port, "/", name="localhost").status == 200


def test_a_second_name_does_not_hide_behind_the_first() -> None:
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    with serving() as port, socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(request)
        assert b" 421 " in client.recv(1000)


def test_browsers_take_a_page_for_nothing_else() -> None:
    with serving() as port:
        for path in ("/", "/health", "/metrics", "/nowhere"):
            assert ask(port, path).headers["X-Content-Type-Options"] == "nosniff"


def test_a_page_under_way_does_not_hold_up_the_end() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hang() -> Snapshot:
        asked.set()
        go_on.wait()
        return make_snapshot()

    with serving(hang) as port:
        client = socket.create_connection(("127.0.0.1", port), timeout=60)
        client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert asked.wait(20)
    go_on.set()  # after the server has ended: had it waited for the page, it would wait still
    with client:
        assert client.recv(1) == b""


def test_the_port_is_free_again_afterwards() -> None:
    with serving() as port:
        assert ask(port, "/health").status == 200
    with serving(address=f"127.0.0.1:{port}") as again:
        assert again == port
        assert ask(port, "/health").status == 200


def test_a_port_in_use_is_reported_with_the_key() -> None:
    with (
        serving() as port,
        pytest.raises(PipelineError, match=rf"live\.health.*127\.0\.0\.1:{port}.*in use.*another"),
        serving(address=f"127.0.0.1:{port}"),
    ):
        pass


def test_the_host_of_another_machine_is_reported_with_the_key() -> None:
    with (
        pytest.raises(PipelineError, match=r"live\.health.*192\.0\.2\.1:0.*no address of this"),
        serving(address="192.0.2.1:0"),
    ):
        pass


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b"])
def test_a_host_that_does_not_exist_is_reported_with_the_key(host: str) -> None:
    with (
        pytest.raises(ConfigError, match=r"live\.health.*no such host"),
        serving(address=f"{host}:0"),
    ):
        pass


@pytest.mark.parametrize("address", ["", "8080", ":8080", "localhost:", "localhost:x", "h:65536"])
def test_an_invalid_address_is_reported_before_it_is_used(address: str) -> None:
    with pytest.raises(ConfigError, match=r"live\.health.*host:port"):
        HealthServer(address, make_snapshot, PrometheusMetrics(make_snapshot).render)


def test_a_pair_is_an_address_too() -> None:
    with HealthServer(
        ("localhost", 0), make_snapshot, PrometheusMetrics(make_snapshot).render
    ) as server:
        assert ask(server.port, "/").status == 200


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6_is_served() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with serving(address="[::1]:0") as port:
        assert ask(port, "/", host="::1").status == 200
