"""Events on a real broker: what it confirmed it has, what it did not is tried again."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis

from pipeline.bridges.mqtt import MqttBridge
from pipeline.bridges.retry import BridgeError, UnavailableError, retrying_while_unavailable
from pipeline.delivery.stream_writer import EventStream
from pipeline.events import Event, decode_event
from pipeline.subscriber import Subscriber
from testbed.certificates import make_certificate
from testbed.mqtt_broker import MOSQUITTO, PASSWORD, Access, Broker, Listener
from testbed.tcp_proxy import TcpProxy
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_camera_event, make_event, stored

TOPIC = "behaviour/{camera_id}/{kind}"
StartBroker = Callable[..., Broker]


@pytest.fixture(params=["amqtt", "mosquitto"])
def start_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartBroker]:
    if request.param == "mosquitto" and MOSQUITTO is None:
        pytest.skip("no mosquitto (Debian and Ubuntu: apt install mosquitto)")
    with ExitStack() as stack:
        yield lambda **access: stack.enter_context(
            Broker(request.param, tmp_path, Access(**access))
        )


@pytest.fixture
def broker(start_broker: StartBroker) -> Broker:
    return start_broker()


def bridge_to(port: int, **changes: object) -> MqttBridge:
    options: dict[str, object] = {
        "port": port,
        "tls": False,
        "username": None,
        "password": None,
        "topic": TOPIC,
        "timeout_s": 5.0,
    }
    return MqttBridge("127.0.0.1", **(options | changes))  # type: ignore[arg-type]


def test_an_event_arrives_whole_under_its_topic_and_is_not_kept(broker: Broker) -> None:
    event, up = make_event(1, action="räuber/fight"), make_camera_event(2)
    with Listener(broker.port) as listener, bridge_to(broker.port) as bridge:
        bridge.send(event)
        bridge.send(up)
        topic, text, _ = listener.next()
        assert (topic, decode_event(text)) == ("behaviour/gate/start", event)
        topic, text, _ = listener.next()
        assert (topic, decode_event(text)) == ("behaviour/gate/camera_up", up)
    with Listener(broker.port, "behaviour/#") as late, bridge_to(broker.port) as bridge:
        bridge.send(make_event(3))
        topic, text, retained = late.next()
        assert (decode_event(text).seq, retained) == (3, False)


def test_a_broker_that_was_restarted_gets_the_next_event(broker: Broker) -> None:
    with bridge_to(broker.port) as bridge:
        bridge.send(make_event(1))
        broker.kill()
        with pytest.raises(
            UnavailableError, match=rf"127.0.0.1:{broker.port} does not answer: .*refused"
        ):
            send_until(UnavailableError, bridge, make_event(2))
        broker.start()
        with Listener(broker.port) as listener:
            bridge.send(make_event(2))
            assert decode_event(listener.next()[1]).seq == 2


def send_until(error: type[Exception], bridge: MqttBridge, event: Event) -> None:
    """The first one may find a connection whose end is not noticed yet."""
    try:
        bridge.send(event)
    except error:
        raise
    except BridgeError:
        bridge.send(event)


def test_a_receipt_that_got_lost_is_a_failed_try_and_the_next_one_works(broker: Broker) -> None:
    proxy = TcpProxy(broker.port)
    try:
        with Listener(broker.port) as listener, bridge_to(proxy.port) as bridge:
            proxy.drop_next_reply.set()
            with pytest.raises(
                BridgeError, match=r"no receipt .* 'behaviour/gate/start'"
            ) as caught:
                bridge.send(make_event(1))
            assert not isinstance(caught.value, UnavailableError)
            bridge.send(make_event(1))
            ids = [decode_event(listener.next()[1]).event_id for _ in range(2)]
            assert ids == ["run/gate/1"] * 2  # at least once; the id identifies duplicates
            assert listener.messages.empty()
    finally:
        proxy.close()


def test_a_frozen_broker_is_an_error_within_a_bound(broker: Broker) -> None:
    with bridge_to(broker.port, timeout_s=0.3) as bridge:
        broker.freeze()
        begin = time.monotonic()
        with pytest.raises(BridgeError, match="no receipt"):
            bridge.send(make_event(1))
        with pytest.raises(UnavailableError, match="does not answer"):
            bridge.send(make_event(1))
    assert time.monotonic() - begin < 10


def test_a_port_that_accepts_connections_and_stays_silent_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bridge = bridge_to(silent.getsockname()[1], timeout_s=0.2)
        with pytest.raises(UnavailableError, match=r"nothing came within 0\.2 s"):
            bridge.send(make_event(1))


def test_a_host_that_no_dns_knows_is_unavailable() -> None:
    bridge = MqttBridge(
        "no-such-host.invalid",
        port=1883,
        tls=False,
        username=None,
        password=None,
        topic=TOPIC,
        timeout_s=1.0,
    )
    with pytest.raises(
        UnavailableError, match=r"no-such-host.invalid:1883 does not answer: \[Errno"
    ):
        bridge.send(make_event(1))


def test_a_password_opens_and_a_wrong_one_is_reported_but_not_shown(
    start_broker: StartBroker, caplog: pytest.LogCaptureFixture
) -> None:
    broker = start_broker(users=True)
    with bridge_to(broker.port, username="cam", password=PASSWORD) as bridge:
        bridge.send(make_event(1))
    with bridge_to(broker.port, username="cam", password="wrong-secret") as bridge:
        with pytest.raises(
            UnavailableError, match=r"refuses the connection: .*bridges\.mqtt"
        ) as caught:
            bridge.send(make_event(1))
        assert "refuses the connection" in caplog.text  # logged at the start already
    assert "wrong-secret" not in caplog.text + str(caught.value) + repr(bridge)


# paho leaves a socket whose handshake failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_needs_a_certificate_that_the_system_trusts(
    start_broker: StartBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path)
    broker = start_broker(certificate=certificate)
    with pytest.raises(UnavailableError, match="certificate verify failed"):
        bridge_to(broker.port, tls=True).send(make_event(1))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with bridge_to(broker.port, tls=True) as bridge:
        bridge.send(make_event(1))


def test_no_event_of_the_stream_is_lost_while_the_broker_is_unavailable(
    broker: Broker, server: str, client: redis.Redis, stream: EventStream
) -> None:
    proxy, stop, away = TcpProxy(broker.port), threading.Event(), threading.Event()
    with ExitStack() as stack:
        stack.callback(proxy.close)
        options: dict[str, Any] = {
            "stream": STREAM,
            "group": "bridge-mqtt",
            "start": "0",
            "retry_after_s": 0.0,
        }
        subscriber = stack.enter_context(Subscriber(server, **options))
        bridge = stack.enter_context(bridge_to(proxy.port))

        def send(event: Event) -> None:
            try:
                bridge.send(event)
            except UnavailableError:
                away.set()
                raise

        patient = retrying_while_unavailable(send, stop, pauses_s=(0.01, 0.05))
        stream.append([stored(make_event(seq)) for seq in (1, 2)], 0.0)
        with Listener(broker.port) as listener:
            assert subscriber.handle(patient, count=2) == 2
            assert [decode_event(listener.next()[1]).seq for _ in range(2)] == [1, 2]

        proxy.refuses = True
        broker.kill()
        stream.append([stored(make_event(seq)) for seq in (3, 4, 5)], 0.0)
        second = stack.enter_context(Subscriber(server, **options))
        thread = threading.Thread(target=second.handle, args=(patient,), kwargs={"count": 3})
        thread.start()
        assert away.wait(20)
        broker.start()
        with Listener(broker.port) as listener:
            proxy.refuses = False
            thread.join(timeout=30)
            assert {decode_event(listener.next()[1]).seq for _ in range(3)} == {3, 4, 5}
        pending = client.xpending(STREAM, "bridge-mqtt")
        assert isinstance(pending, dict)
        assert pending["pending"] == 0
        assert not client.exists(f"{{{STREAM}}}:dead:bridge-mqtt")
