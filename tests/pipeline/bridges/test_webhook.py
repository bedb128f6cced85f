"""Events at a real HTTP server: signed, whole, distinguishable; no credentials in any text."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from cloudevents.core.bindings.http import HTTPMessage, from_structured
from cloudevents.core.formats.json import JSONFormat
from standardwebhooks.webhooks import Webhook

from pipeline.bridges.retry import BridgeError, UnavailableError
from pipeline.bridges.webhook import WebhookBridge, _retry_after_s
from pipeline.delivery.stream_writer import EventStream
from pipeline.errors import ConfigError
from pipeline.events import decode_event, encode_event
from pipeline.subscriber import Subscriber
from pipeline.subscriber.reports import DeadLetter, Report
from testbed.certificates import make_certificate
from testbed.free_port import free_port
from testbed.http_receiver import Receiver, Reply, http_receiver
from testbed.mqtt_broker import Access, Broker
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_camera_event, make_event, stored

SECRET = b"hunter2"
NOW = 1_790_000_000.75


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with http_receiver() as receiver:
        yield receiver


def bridge_to(url: str, *, secret: bytes | None = SECRET, timeout_s: float = 10.0) -> WebhookBridge:
    return WebhookBridge(url, secret=secret, timeout_s=timeout_s, now=lambda: NOW)


def test_an_event_arrives_whole_and_signed(receiver: Receiver) -> None:
    event = make_event(1, action="räuber")
    with bridge_to(receiver.url) as bridge:
        bridge.send(event)
    request = receiver.next()
    assert (request.path, decode_event(request.body)) == ("/hook", event)
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X-Behaviour-Event-Id"] == "run/gate/1"
    assert request.headers["X-Behaviour-Timestamp"] == "1790000000"
    # Written out, as receivers in other languages will.
    signed = b"1790000000." + encode_event(event).encode()
    expected = "sha256=" + hmac.new(SECRET, signed, hashlib.sha256).hexdigest()
    assert request.headers["X-Behaviour-Signature"] == expected


def test_a_receiver_with_the_standards_library_can_verify_a_request(receiver: Receiver) -> None:
    secret = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
    event = make_event(1, event_id="run/a.b/1", camera_id="a.b")
    with WebhookBridge(receiver.url, secret=secret.encode(), timeout_s=10.0) as bridge:
        bridge.send(event)
    request = receiver.next()
    assert Webhook(secret).verify(request.body, request.headers)["event_id"] == "run/a.b/1"
    assert request.headers["webhook-id"] == "run/a%2Eb/1"


def test_a_cloud_event_is_signed_as_it_is_sent(receiver: Receiver) -> None:
    with WebhookBridge(
        receiver.url, secret=SECRET, timeout_s=10.0, body_format="cloudevents"
    ) as bridge:
        bridge.send(make_event(1))
    request = receiver.next()
    headers = {name.lower(): value for name, value in request.headers.items()}
    read = from_structured(HTTPMessage(headers, request.body), JSONFormat())
    assert read.get_source() == "/cameras/gate"
    assert Webhook(SECRET).verify(request.body, headers)["id"] == "run/gate/1"


def test_without_a_secret_there_is_no_signature(receiver: Receiver) -> None:
    with bridge_to(receiver.url, secret=None) as bridge:
        bridge.send(make_camera_event())
    headers = receiver.next().headers
    assert not {"X-Behaviour-Signature", "webhook-signature"} & set(headers)
    assert headers["webhook-id"] == "run/gate/1"


def test_an_event_id_in_any_script_fits_into_a_header(receiver: Receiver) -> None:
    with bridge_to(receiver.url) as bridge:
        bridge.send(make_event(event_id="run/门口 50%\r\nX: y/1"))
    sent = receiver.next().headers["X-Behaviour-Event-Id"]
    assert sent == "run/%E9%97%A8%E5%8F%A3%2050%25%0D%0AX:%20y/1"


def test_one_connection_serves_many_events(receiver: Receiver) -> None:
    with bridge_to(receiver.url) as bridge:
        for seq in range(1, 21):
            bridge.send(make_event(seq))
    assert (receiver.requests.qsize(), receiver.connections) == (20, 1)


def test_an_endless_answer_is_not_read_to_its_end(receiver: Receiver) -> None:
    receiver.replies.put(Reply(body=b"x" * 50_000_000))
    with bridge_to(receiver.url) as bridge:
        bridge.send(make_event(1))
        bridge.send(make_event(2))
    assert receiver.connections == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422, 304])
def test_an_answer_that_is_no_success_costs_a_try(receiver: Receiver, status: int) -> None:
    receiver.replies.put(Reply(status, body=b""))
    with bridge_to(receiver.url) as bridge, pytest.raises(BridgeError) as caught:
        bridge.send(make_event(1))
    assert not isinstance(caught.value, UnavailableError)
    assert str(caught.value) == f"webhook at http://127.0.0.1:{receiver.port} answers {status}"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507, 599])
def test_an_answer_about_the_receiver_is_no_failed_try(receiver: Receiver, status: int) -> None:
    receiver.replies.put(Reply(status))
    with (
        bridge_to(receiver.url) as bridge,
        pytest.raises(UnavailableError, match=str(status)),
    ):
        bridge.send(make_event(1))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_its_target_gets_nothing(receiver: Receiver, status: int) -> None:
    with http_receiver() as other:
        location = other.url.replace("http://", "http://user:hunter2@") + "?token=hunter2"
        receiver.replies.put(Reply(status, {"Location": location}))
        with bridge_to(receiver.url) as bridge, pytest.raises(BridgeError) as caught:
            bridge.send(make_event(1))
        assert other.requests.empty()
        assert f"a redirect to http://127.0.0.1:{other.port};" in str(caught.value)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "location", ["", "http://[::1", "http://h:99999/", "http://\xff/", "x\x1b"]
)
def test_a_redirect_to_nowhere_is_refused_too(receiver: Receiver, location: str) -> None:
    receiver.replies.put(Reply(302, {"Location": location}))
    with (
        bridge_to(receiver.url) as bridge,
        pytest.raises(BridgeError, match="answers 302") as caught,
    ):
        bridge.send(make_event(1))
    assert str(caught.value).isprintable()


def test_a_receiver_that_hangs_is_unavailable_within_the_time_limit(receiver: Receiver) -> None:
    receiver.may_reply.clear()
    begin = time.monotonic()
    with (
        bridge_to(receiver.url, timeout_s=0.2) as bridge,
        pytest.raises(UnavailableError, match=r"does not answer: n.* came within 0\.2 s"),
    ):
        bridge.send(make_event(1))
    assert time.monotonic() - begin < 5


@contextmanager
def trickling(first: bytes) -> Iterator[int]:
    """A port that answers immediately with some bytes, and then with one more every 50 ms."""
    stop = threading.Event()

    def trickle() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.sendall(first)
            while not stop.wait(0.05):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=trickle)
        serving.start()
        yield listening.getsockname()[1]
        stop.set()
        serving.join()


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 O", b"HTTP/1.1 200 OK\r\nX-Long: "])
def test_an_answer_that_trickles_is_none(first: bytes) -> None:
    with (
        trickling(first) as port,
        bridge_to(f"http://127.0.0.1:{port}/", timeout_s=0.4) as bridge,
        pytest.raises(UnavailableError, match=r"no whole answer came within 0\.4 s"),
    ):
        bridge.send(make_event(1))


def test_a_tls_handshake_that_trickles_is_no_answer() -> None:
    with (
        trickling(b"\x16\x03\x03\x40\x00") as port,
        bridge_to(f"https://127.0.0.1:{port}/", timeout_s=0.4) as bridge,
        pytest.raises(UnavailableError, match=r"no whole answer came within 0\.4 s"),
    ):
        bridge.send(make_event(1))


def test_after_the_status_the_rest_of_an_answer_may_trickle(receiver: Receiver) -> None:
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
    with (
        trickling(begun) as port,
        bridge_to(f"http://127.0.0.1:{port}/", timeout_s=0.4) as bridge,
    ):
        bridge.send(make_event(1))  # the receiver has it
        bridge._url = receiver.url
        bridge.send(make_event(2))


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, 0.0),
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "99999999999999999999"}, 3600.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "soon"}, 0.0),
        ({"Retry-After": "Mon, 21 Sep 2026 14:14:20 GMT"}, 60.0 - 0.75),
        # With a date of its own clock, which is years behind:
        (
            {
                "Date": "Mon, 21 Sep 2020 14:00:00 GMT",
                "Retry-After": "Mon, 21 Sep 2020 14:00:30 GMT",
            },
            30.0,
        ),
    ],
)
def test_a_receiver_that_asks_for_time_gets_it(headers: dict[str, str], wait_s: float) -> None:
    response = requests.Response()
    response.headers.update(headers)
    now = datetime(2026, 9, 21, 14, 13, 20, 750_000, UTC).timestamp()
    assert _retry_after_s(response, now) == pytest.approx(wait_s)


def test_the_time_that_a_receiver_asks_for_comes_with_the_outage(receiver: Receiver) -> None:
    receiver.replies.put(Reply(429, {"Retry-After": "7"}))
    with bridge_to(receiver.url) as bridge, pytest.raises(UnavailableError) as caught:
        bridge.send(make_event(1))
    assert caught.value.retry_after_s == 7.0


def test_a_receiver_that_is_not_there_is_unavailable() -> None:
    bridge = bridge_to(f"http://127.0.0.1:{free_port()}/x")
    with (
        bridge,
        pytest.raises(UnavailableError, match=r"does not answer: .*Connection refused"),
    ):
        bridge.send(make_event(1))


def test_a_host_that_no_dns_knows_is_unavailable() -> None:
    bridge = bridge_to("http://no-such-host.invalid/x")
    with (
        bridge,
        pytest.raises(UnavailableError, match=r"no-such-host\.invalid does not answer: \[Errno"),
    ):
        bridge.send(make_event(1))


def test_a_certificate_that_no_trusted_authority_signed_is_refused(tmp_path: Path) -> None:
    # Any server with TLS will do: it does not get as far as HTTP.
    access = Access(certificate=make_certificate(tmp_path))
    with (
        Broker("amqtt", tmp_path, access) as server,
        bridge_to(f"https://127.0.0.1:{server.port}/") as bridge,
        pytest.raises(UnavailableError, match="certificate verify failed"),
    ):
        bridge.send(make_event(1))


@pytest.mark.parametrize("path", ["refused", "hangs", "500", "redirect"])
def test_no_text_shows_a_credential(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    caplog.set_level(logging.DEBUG)
    port = free_port() if path == "refused" else receiver.port
    if path == "hangs":
        receiver.may_reply.clear()
    if path == "500":
        receiver.replies.put(Reply(500))
    if path == "redirect":
        receiver.replies.put(Reply(307, {"Location": "/hunter2?token=hunter2"}))
    url = f"http://user:hunter2@127.0.0.1:{port}/services/hunter2?token=hunter2"
    with bridge_to(url, timeout_s=0.2) as bridge, pytest.raises(BridgeError) as caught:
        bridge.send(make_event(1))
    text = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in text + caplog.text + repr(bridge) + bridge.name


@pytest.mark.parametrize("separator", "/?#")
def test_a_password_with_a_raw_separator_is_not_taken_for_a_host(separator: str) -> None:
    bridge = bridge_to(f"http://user:12{separator}34@127.0.0.1/hook")
    assert bridge.name == "webhook at http://***"


@pytest.mark.parametrize("url", ["http://", "http://a:b@", "http://h:port/", "ftp://host/", "host"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"bridges\.webhook\.url") as caught:
        bridge_to(url)
    assert "a:b" not in str(caught.value)


GROUP: dict[str, Any] = {
    "stream": STREAM,
    "group": "bridge-webhook",
    "start": "0",
    "retry_after_s": 0.0,
    "block_s": 0.05,
}


def test_what_failed_is_sent_again_and_only_then_acknowledged(
    receiver: Receiver, server: str, client: redis.Redis, stream: EventStream
) -> None:
    stream.append([stored(make_event(seq)) for seq in (1, 2)])
    receiver.replies.put(Reply(400))
    with Subscriber(server, **GROUP) as subscriber, bridge_to(receiver.url) as bridge:
        assert subscriber.handle(bridge.send, count=2) == 2
    ids = [receiver.next().headers["X-Behaviour-Event-Id"] for _ in range(3)]
    assert sorted(ids) == ["run/gate/1", "run/gate/1", "run/gate/2"]
    assert client.xpending(STREAM, "bridge-webhook")["pending"] == 0


def test_an_event_that_is_never_taken_is_dead_lettered_after_five_tries(
    receiver: Receiver, server: str, client: redis.Redis, stream: EventStream
) -> None:
    stream.append([stored(make_event(1))])
    for _ in range(5):
        receiver.replies.put(Reply(400))
    reports: list[Report] = []

    def note_and_stop(report: Report) -> None:
        reports.append(report)
        subscriber.stop()

    with (
        Subscriber(server, on_report=note_and_stop, **GROUP) as subscriber,
        bridge_to(receiver.url) as bridge,
    ):
        assert subscriber.handle(bridge.send) == 0
    assert receiver.requests.qsize() == 5
    target = f"{{{STREAM}}}:dead:bridge-webhook"
    [report] = reports
    assert isinstance(report, DeadLetter)
    assert (report.stream, report.tries) == (target, 5)
    assert client.xlen(target) == 1
