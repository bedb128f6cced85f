"""Events to an MQTT broker: each is published, and handled when the broker has confirmed it."""

from __future__ import annotations

import logging
import secrets
import ssl
import threading
from typing import Any, Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from pipeline.bridges.mqtt_topic import topic_of
from pipeline.bridges.retry import BridgeError, UnavailableError
from pipeline.events import Event, encode_event

_KEEPALIVE_S = 20  # a broker that vanished is noticed within twice this time
_AT_LEAST_ONCE = 1

log = logging.getLogger(__name__)


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
    ) -> None:
        self.name = f"MQTT broker at {host}:{port}"
        self._address, self._tls, self._login = (host, port), tls, (username, password)
        self._topic, self._timeout_s = topic, timeout_s
        self._connection: _Connection | None = None

    def __enter__(self) -> Self:
        try:
            self._connected()
        except UnavailableError as error:  # logged now, not with the first event
            log.warning("%s; trying again with the first event", error)
        return self

    def __exit__(self, *error: object) -> None:
        self._disconnect()

    def send(self, event: Event) -> None:
        """Publish the event, not retained, and wait for the broker's receipt (QoS 1).

        Raises:
            UnavailableError: if the broker cannot be reached or refuses the connection.
            BridgeError: if no receipt came: the broker may have the event or not.
        """
        connection = self._connected()
        topic = topic_of(self._topic, event)
        taken = False
        try:
            taken = connection.publish(topic, encode_event(event), self._timeout_s)
        finally:
            if not taken:
                self._disconnect()
        if not taken:
            raise BridgeError(f"{self.name} sent no receipt for an event with topic {topic!r}")

    def _connected(self) -> _Connection:
        if self._connection is not None and not self._connection.is_alive():
            self._disconnect()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> _Connection:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"behaviour-{secrets.token_hex(4)}",  # must be unique
            reconnect_on_failure=False,
        )
        client.connect_timeout = self._timeout_s
        username, password = self._login
        if username is not None:
            client.username_pw_set(username, password)
        if self._tls:
            client.tls_set_context(ssl.create_default_context())
        connection = _Connection(client)
        try:
            problem = connection.open(*self._address, self._timeout_s)
        except (OSError, ValueError) as error:
            problem = f"does not answer: {error}"
        if problem:
            connection.close()
            raise UnavailableError(f"{self.name} {problem}")
        return connection

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
        self._receipt: int | None = None  # number of the newest message that the broker confirmed
        self._lost = False
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish

    def open(self, host: str, port: int, timeout_s: float) -> str:
        """Connect; returns the problem, empty if there is none."""
        self._client.connect(host, port, keepalive=_KEEPALIVE_S)
        self._client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._answer is not None or self._lost, timeout_s)
            if self._answer is None:
                silence = f"nothing came within {timeout_s:g} s"
                return f"does not answer: {'connection lost' if self._lost else silence}"
            if self._answer.is_failure:
                return f"refuses the connection: {self._answer} (bridges.mqtt.username)"
        return ""

    def publish(self, topic: str, payload: str, timeout_s: float) -> bool:
        """Send a message; returns whether the broker confirmed it."""
        message = self._client.publish(topic, payload, qos=_AT_LEAST_ONCE, retain=False)
        with self._changed:
            self._changed.wait_for(lambda: self._receipt == message.mid or self._lost, timeout_s)
            return self._receipt == message.mid

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
            self._changed.notify_all()

    def _on_publish(
        self, client: Client, userdata: Any, mid: int, reason: ReasonCode, properties: Any
    ) -> None:
        with self._changed:
            self._receipt = mid
            self._changed.notify_all()
