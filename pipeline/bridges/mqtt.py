"""Events to an MQTT broker: each is published, and handled when the broker has confirmed it."""

from __future__ import annotations

import logging
import secrets
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from pipeline.bridges.mqtt_topic import topic_of
from pipeline.bridges.retry import BridgeError, UnavailableError
from pipeline.events import Event, encode_event

ONLINE, OFFLINE = "online", "offline"  # what Home Assistant expects by default
_KEEPALIVE_S = 20  # a broker that vanished is noticed within twice this time
_AT_LEAST_ONCE = 1
_OTHER_VERSION = 0x84  # unsupported protocol version, as paho reads it in either version's answer
# Reasons of a broker that ends the connection because of the event: not authorized, topic name
# invalid, packet too large, quota exceeded, payload format invalid.
_REFUSALS = {0x87, 0x90, 0x95, 0x97, 0x99}

Protocol = Literal["auto", "5", "3.1.1"]
_VERSIONS: dict[Protocol, tuple[MQTTProtocolVersion, ...]] = {
    "auto": (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311),
    "5": (MQTTProtocolVersion.MQTTv5,),
    "3.1.1": (MQTTProtocolVersion.MQTTv311,),
}

log = logging.getLogger(__name__)


class NoReceiptError(BridgeError):
    """The connection ended, or the wait for the receipt, without a word: it may be the message."""


class MqttBridge:
    """Publishes events to a broker; use it from one thread, and as a context.

    A lost connection is opened again for the next event. What an attempt left unconfirmed is
    dropped with its connection: paho would otherwise send it again beside the next attempt.

    Args:
        host: of the broker.
        port: of the broker.
        tls: encrypt, and check the broker's certificate by the authorities that the system knows.
        username: None: connect without a login.
        password: of the user.
        topic: template of the topic, see `mqtt_topic.topic_of`.
        timeout_s: longest wait for the connection, its acceptance and each receipt, seconds.
        protocol: version of MQTT. 3.1.1 has no way to report that the broker refuses an event;
            `auto` takes it only where the broker refuses 5 or does not understand it.
        presence: topic that has `online`, retained, while this connection lasts, and `offline`
            afterwards, by the broker's own hand if need be (last will); None: there is none.

    Attributes:
        on_connected: called with every new connection, before anything else is published.
    """

    def __init__(
        self,
        host: str,
        *,
        port: int,
        tls: bool,
        username: str | None,
        password: str | None,
        topic: str,
        timeout_s: float,
        protocol: Protocol = "auto",
        presence: str | None = None,
    ) -> None:
        self.name = f"MQTT broker at {host}:{port}"
        self._address, self._tls, self._login = (host, port), tls, (username, password)
        self._topic, self._timeout_s = topic, timeout_s
        self._versions, self._limit_reported = _VERSIONS[protocol], False
        self._presence = presence
        self._connection: _Connection | None = None
        self.on_connected: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        try:
            self._connected()
        except UnavailableError as error:  # logged now, not with the first event
            log.warning("%s; trying again with the first event", error)
        return self

    def __exit__(self, *error: object) -> None:
        if self._presence is not None and self._connection is not None:
            with suppress(BridgeError):  # without it the broker notices later
                self.retain(self._presence, OFFLINE.encode())
        self._disconnect()

    def send(self, event: Event) -> None:
        """Publish the event, not retained, and wait for the broker's receipt (QoS 1).

        Raises:
            UnavailableError: if the broker cannot be reached, or refuses or ends the connection.
            BridgeError: if the broker refuses the event, or no receipt came: then it may have the
                event or not.
        """
        self._publish(topic_of(self._topic, event), encode_event(event), "an event")

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish a message that the broker keeps for later subscribers, as `send` does.

        Raises:
            UnavailableError: as `send`.
            NoReceiptError: if no receipt came.
            BridgeError: if the broker refuses the message.
        """
        self._publish(topic, payload, "a state", retain=True)

    def ensure_connected(self) -> None:
        """Connect, unless the connection is alive.

        Raises:
            UnavailableError: if the broker cannot be reached, or refuses the connection.
        """
        self._connected()

    def _publish(
        self, topic: str, payload: str | bytes, what: str, *, retain: bool = False
    ) -> None:
        connection = self._connected()
        receipt: ReasonCode | None = None
        try:
            receipt = connection.publish(topic, payload, self._timeout_s, retain=retain)
        finally:
            if receipt is None:
                self._disconnect()
        if receipt is None and (ended := connection.end) is not None:
            error = BridgeError if ended.value in _REFUSALS else UnavailableError
            raise error(f"{self.name} ended the connection at topic {topic!r}: {ended}")
        if receipt is None:
            raise NoReceiptError(f"{self.name} sent no receipt for {what} with topic {topic!r}")
        if receipt.is_failure:
            raise BridgeError(f"{self.name} refuses {what} with topic {topic!r}: {receipt}")

    def _connected(self) -> _Connection:
        if self._connection is not None and not self._connection.is_alive():
            self._disconnect()
        if self._connection is None:
            self._connection = connection = self._connect()
            if self._presence is not None:
                self.retain(self._presence, ONLINE.encode())
            self.on_connected()
            if self._connection is not connection:  # it was lost again meanwhile
                return self._connected()
        return self._connection

    def _connect(self) -> _Connection:
        newest, *older = self._versions
        connection, problem = self._open(newest)
        if problem and older and (connection.refused_version or connection.unanswered):
            fallback, refused = self._open(older[0])
            if not refused and connection.unanswered:
                # Some brokers of 3.1.1 wait forever for the rest of what they cannot read; this one
                # may also have been slow or in the middle of a restart.
                connection, problem = self._open(newest)
                self._versions = tuple(older) if problem else self._versions
            if not refused and problem:
                self._report_limit()
                return fallback
            if refused and not fallback.unanswered:
                problem = refused
            fallback.close()
        if problem:
            raise UnavailableError(f"{self.name} {problem}")
        if newest is MQTTProtocolVersion.MQTTv311:
            self._report_limit()
        return connection

    def _open(self, version: MQTTProtocolVersion) -> tuple[_Connection, str]:
        connection = _Connection(self._client_of(version))
        try:
            problem = connection.open(*self._address, self._timeout_s)
        except (OSError, ValueError) as error:
            problem = f"does not answer: {error}"
        if problem:
            connection.close()
        return connection, problem

    def _client_of(self, version: MQTTProtocolVersion) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"behaviour-{secrets.token_hex(4)}",  # must be unique
            protocol=version,
            reconnect_on_failure=False,
        )
        client.connect_timeout = self._timeout_s
        username, password = self._login
        if username is not None:
            client.username_pw_set(username, password)
        if self._presence is not None:
            client.will_set(self._presence, OFFLINE, qos=_AT_LEAST_ONCE, retain=True)
        if self._tls:
            client.tls_set_context(_tls_context(self._timeout_s))
        return client

    def _report_limit(self) -> None:
        if not self._limit_reported:
            self._limit_reported = True
            log.warning(
                "%s is spoken to in MQTT 3.1.1, which cannot report that an event is refused: one "
                "that its access rules refuse counts as delivered",
                self.name,
            )

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class _Connection:
    """One connection, used once: paho's thread records what happens, ours waits for it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._changed = threading.Condition()
        self._answer: ReasonCode | None = None
        self._receipts: dict[int, ReasonCode] = {}  # by number of the message
        self._connected = self._lost = False
        self.end: ReasonCode | None = None  # why the broker ended the connection, if it sent that
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish

    def open(self, host: str, port: int, timeout_s: float) -> str:
        """Connect; returns the problem, empty if there is none."""
        self._client.connect(host, port, keepalive=_KEEPALIVE_S)
        self._connected = True
        self._client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._answer is not None or self._lost, timeout_s)
            if self._answer is None:
                silence = f"nothing came within {timeout_s:g} s"
                return f"does not answer: {'connection lost' if self._lost else silence}"
            if self._answer.is_failure:
                hint = "protocol" if self.refused_version else "username"
                return f"refuses the connection: {self._answer} (bridges.mqtt.{hint})"
        return ""

    @property
    def refused_version(self) -> bool:
        """Whether the broker does not know this version of MQTT."""
        return self._answer is not None and self._answer.value == _OTHER_VERSION

    @property
    def unanswered(self) -> bool:
        """Whether the broker took the connection and did not answer the request on it."""
        return self._connected and self._answer is None

    def publish(
        self, topic: str, payload: str | bytes, timeout_s: float, *, retain: bool
    ) -> ReasonCode | None:
        """Send a message; returns the broker's receipt, None if none came."""
        message = self._client.publish(topic, payload, qos=_AT_LEAST_ONCE, retain=retain)
        with self._changed:
            self._changed.wait_for(lambda: message.mid in self._receipts or self._lost, timeout_s)
            return self._receipts.pop(message.mid, None)

    def is_alive(self) -> bool:
        return not self._lost

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, client: Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        with self._changed:
            self._answer = reason
            self._changed.notify_all()

    def _on_disconnect(
        self, client: Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        with self._changed:
            self._lost = True
            if flags.is_disconnect_packet_from_server:
                self.end = reason
            self._changed.notify_all()

    def _on_publish(
        self, client: Client, userdata: Any, mid: int, reason: ReasonCode, properties: Any
    ) -> None:
        with self._changed:
            self._receipts[mid] = reason
            self._changed.notify_all()


def _tls_context(timeout_s: float) -> ssl.SSLContext:
    """Make a context whose handshakes end in time, however slowly the other end sends.

    Args:
        timeout_s: of the whole handshake, seconds; that of a socket is for each of its parts.
    """

    class TimedSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            timer = threading.Timer(timeout_s, socket.socket.shutdown, (self, socket.SHUT_RDWR))
            timer.start()
            try:
                super().do_handshake(block)
            except OSError:
                self.close()  # paho would leave it to the garbage collector
                raise
            finally:
                timer.cancel()

    context = ssl.create_default_context()
    context.sslsocket_class = TimedSocket
    return context
