"""Events on a real broker: what it confirmed it has, what it did not is tried again."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
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
    # amqtt stays silent to a login in MQTT 5, which it cannot read.
    login = {"username": "cam", "protocol": "3.1.1"}
    with bridge_to(broker.port, password=PASSWORD, **login) as bridge:
        bridge.send(make_event(1))
    with bridge_to(broker.port, password="wrong-secret", **login) as bridge:
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


needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto")


@needs_mosquitto
def test_what_the_rules_of_a_broker_refuse_is_a_failed_try(tmp_path: Path) -> None:
    rules = ("user cam", "topic write behaviour/gate/#", "topic read #")
    with (
        Broker("mosquitto", tmp_path, Access(users=True, rules=rules)) as broker,
        bridge_to(broker.port, username="cam", password=PASSWORD) as bridge,
    ):
        bridge.send(make_event(1))
        with pytest.raises(BridgeError, match=r"refuses an event .*Not authorized") as caught:
            bridge.send(make_event(2, camera_id="yard"))
        assert not isinstance(caught.value, UnavailableError)
        bridge.send(make_event(3))  # on the same connection


@needs_mosquitto
@pytest.mark.parametrize("limit", ["message_size_limit", "max_packet_size"])
def test_what_is_too_large_for_a_broker_is_a_failed_try(tmp_path: Path, limit: str) -> None:
    with (
        Broker("mosquitto", tmp_path, Access(settings=(f"{limit} 2000",))) as broker,
        bridge_to(broker.port) as bridge,
    ):
        with pytest.raises(BridgeError, match=r"large|no receipt") as caught:
            bridge.send(make_event(1, action="x" * 3000))
        assert not isinstance(caught.value, UnavailableError)
        bridge.send(make_event(2))


def test_what_3_1_1_cannot_report_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Broker("amqtt", tmp_path, Access()) as broker, bridge_to(broker.port) as bridge:
        bridge.send(make_event(1))
        bridge._disconnect()
        bridge.send(make_event(2))
    assert [record.message for record in caplog.records if "3.1.1" in record.message] == [
        f"MQTT broker at 127.0.0.1:{broker.port} is spoken to in MQTT 3.1.1, which cannot report "
        "that an event is refused: one that its access rules refuse counts as delivered"
    ]


ACCEPTED = b"\x20\x03\x00\x00\x00"  # CONNACK of MQTT 5


@contextmanager
def scripted_broker(*answers: bytes) -> Iterator[int]:
    """A port whose every connection gets these bytes, each after the next packet of the client."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                for answer in answers:
                    connection.recv(65_536)
                    connection.sendall(answer)
                connection.recv(65_536)  # the end

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        yield listening.getsockname()[1]


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (0x87, BridgeError),  # not authorized
        (0x95, BridgeError),  # packet too large
        (0x97, BridgeError),  # quota exceeded
        (0x99, BridgeError),  # payload format invalid
        (0x89, UnavailableError),  # server busy
        (0x8B, UnavailableError),  # server shutting down
    ],
)
def test_a_connection_that_ends_for_a_reason_is_about_the_event_or_about_the_broker(
    reason: int, error: type[BridgeError]
) -> None:
    disconnect = bytes((0xE0, 2, reason, 0))
    with scripted_broker(ACCEPTED, disconnect) as port, bridge_to(port) as bridge:
        with pytest.raises(BridgeError, match="ended the connection") as caught:
            bridge.send(make_event(1))
        assert type(caught.value) is error


@pytest.mark.parametrize("reason", [0x80, 0x83, 0x87, 0x90, 0x97, 0x99])
def test_a_receipt_with_a_reason_is_no_receipt(reason: int) -> None:
    receipt = bytes((0x40, 4, 0, 1, reason, 0))
    with scripted_broker(ACCEPTED, receipt) as port, bridge_to(port) as bridge:
        with pytest.raises(BridgeError, match="refuses an event") as caught:
            bridge.send(make_event(1))
        assert type(caught.value) is BridgeError


def test_a_receipt_without_subscribers_is_one() -> None:
    with scripted_broker(ACCEPTED, b"\x40\x04\x00\x01\x10\x00") as port, bridge_to(port) as bridge:
        bridge.send(make_event(1))


def test_a_broker_that_refuses_a_fixed_version_is_reported_with_the_key() -> None:
    refusal = b"\x20\x02\x00\x01"  # of a broker of 3.1.1
    with (
        scripted_broker(refusal) as port,
        pytest.raises(UnavailableError, match=r"version.* \(bridges\.mqtt\.protocol\)"),
    ):
        bridge_to(port, protocol="5").send(make_event(1))


@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_broker_that_cannot_read_a_newer_version_gets_an_older_one(hangs_up: bool) -> None:
    """It waits for the rest of what it cannot read, or ends the connection without an answer."""
    asked: list[int] = []

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            version = connection.recv(65_536)[8]
            asked.append(version)
            if version == 4:
                connection.sendall(b"\x20\x02\x00\x00")
            elif hangs_up:
                return
            while packet := connection.recv(65_536):
                if version == 4 and packet[0] >> 4 == 3:
                    connection.sendall(b"\x40\x02\x00\x01")

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        with bridge_to(listening.getsockname()[1], timeout_s=0.3) as bridge:
            bridge.send(make_event(1))
            assert asked == [5, 4, 5]  # perhaps it was only slow
            bridge._disconnect()
            bridge.send(make_event(2))
            assert asked == [5, 4, 5, 4]  # and is not asked each time


def test_a_broker_that_trickles_its_tls_answer_is_left_in_time() -> None:
    stop = threading.Event()

    def trickle() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB follows
            while not stop.wait(0.05):
                connection.sendall(b"\x02")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=trickle)
        serving.start()
        with pytest.raises(UnavailableError, match="does not answer"):
            bridge_to(listening.getsockname()[1], tls=True, timeout_s=0.5).send(make_event(1))
        stop.set()
        serving.join()


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
        stream.append([stored(make_event(seq)) for seq in (1, 2)])
        with Listener(broker.port) as listener:
            assert subscriber.handle(patient, count=2) == 2
            assert [decode_event(listener.next()[1]).seq for _ in range(2)] == [1, 2]

        proxy.refuses = True
        broker.kill()
        stream.append([stored(make_event(seq)) for seq in (3, 4, 5)])
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
