"""What Home Assistant gets of the cameras: its MQTT discovery, and the state of each entity.

Every camera is a device. It has a binary sensor for each action and each rule, one for its
connection, a sensor for the count of each zone, and its newest snapshot as an image. All messages
are retained, so that Home Assistant has them right after a restart.

The names of keys and topics are those of Home Assistant's integration `mqtt`
(home-assistant.io/integrations/mqtt), in the long form; one message per entity, which every version
of it understands.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline import __version__
from pipeline.bridges.snapshot_file import snapshot_of
from pipeline.events import ActionEvent, AlarmEvent, CameraEvent, Event, EvidenceEvent
from pipeline.printable import printable

_ON, _OFF = "ON", "OFF"
_NAME_CHARACTERS = 64  # of an id; what is longer is cut, and a hash makes it unique
_SHOWN = 120  # characters of a name that Home Assistant shows
_RUNS = 16  # of a camera, whose late events are recognized
_SENSOR_NAME = {"action": "", "rule": "Alarm "}

SensorKind = Literal["action", "rule"]
Messages = dict[str, bytes]  # by topic


@dataclass(slots=True)
class _Sensor:
    """The intervals that are open now, with what is known of each."""

    open: dict[str, dict[str, Any]] = field(default_factory=dict)  # attributes by interval id
    last: dict[str, Any] = field(default_factory=dict)  # attributes of the newest event


@dataclass(slots=True)
class _Camera:
    up: bool = False
    alive: bool = True  # a run keeps its heartbeat, as far as that is known
    origin: str = ""  # of its newest run
    newest_seq: dict[str, int] = field(default_factory=dict)  # by origin
    sensors: dict[tuple[SensorKind, str], _Sensor] = field(default_factory=dict)
    zones: dict[str, int] = field(default_factory=dict)  # people now, by name of the zone
    snapshot: Event | None = None  # the newest event that names one
    image: tuple[str, bytes | None] = ("", None)  # what was read for it, with its event id


class HomeAssistantState:
    """Follows the events and says what Home Assistant should know.

    Args:
        discovery_prefix: of the topics by which it finds entities, `homeassistant` by default.
        topic: of the states, without a slash at the end.
        evidence: folder of the snapshots; None: there is no image.
    """

    def __init__(self, *, discovery_prefix: str, topic: str, evidence: Path | None) -> None:
        self._prefix, self._topic, self._evidence = discovery_prefix, topic, evidence
        self._cameras: dict[str, _Camera] = {}

    @property
    def availability_topic(self) -> str:
        """Where `online` and `offline` of the bridge itself go."""
        return f"{self._topic}/availability"

    def apply(self, event: Event) -> bool:
        """Follow an event; one that is older than what is known changes nothing.

        Returns:
            Whether it changed anything.
        """
        camera = self._cameras.setdefault(event.camera_id, _Camera())
        is_late = event.origin != camera.origin and event.origin in camera.newest_seq
        if is_late or event.seq <= camera.newest_seq.get(event.origin, 0):
            return False
        if event.origin != camera.origin:
            _begin_run(camera, event.origin)
        camera.newest_seq[event.origin] = event.seq
        if isinstance(event, CameraEvent):
            camera.up = event.kind == "camera_up"
            if not camera.up:
                _close_all(camera)
        elif isinstance(event, EvidenceEvent):
            if event.media == "snapshot":
                camera.snapshot = event
        else:
            self._follow(camera, event)
        return True

    def set_alive(self, camera_id: str, is_alive: bool) -> bool:
        """Note whether a run keeps the heartbeat of a camera; a killed one sends no event.

        Returns:
            Whether that changed.
        """
        camera = self._cameras[camera_id]
        changed, camera.alive = camera.alive != is_alive, is_alive
        return changed

    def camera_ids(self) -> list[str]:
        """Return the cameras of which there was an event or a count."""
        return list(self._cameras)

    def count_zones(self, camera_id: str, counts: Mapping[str, int]) -> None:
        """Note how many people are in zones of a camera now."""
        self._cameras.setdefault(camera_id, _Camera()).zones.update(counts)

    def messages_of(self, camera_id: str) -> Messages:
        """Return all retained messages about a camera: how to find its entities, and their states.

        Discovery comes before states.
        """
        camera = self._cameras[camera_id]
        base = f"{self._topic}/{_level(camera_id)}"
        found = _Entities(self._prefix, base, self._device(camera_id), self.availability_topic)
        found.add("binary_sensor", "connection", "Connection", f"{base}/connection", is_about=False)
        states: Messages = {f"{base}/connection": _flag(camera.up and camera.alive)}
        for (kind, name), sensor in sorted(camera.sensors.items()):
            topic = f"{base}/{kind}/{_level(name)}"
            found.add("binary_sensor", f"{kind}_{name}", f"{_SENSOR_NAME[kind]}{name}", topic)
            states[topic] = _flag(bool(sensor.open))
            states[f"{topic}/attributes"] = json.dumps(_attributes(sensor)).encode()
        for name, count in sorted(camera.zones.items()):
            topic = f"{base}/zone/{_level(name)}"
            found.add("sensor", f"zone_{name}", f"People in {name}", topic)
            states[topic] = str(count).encode()
        if (image := self._image_of(camera)) is not None:
            found.add("image", "snapshot", "Snapshot", f"{base}/snapshot", is_about=False)
            states[f"{base}/snapshot"] = image
        return found.messages | states

    def all_messages(self) -> Messages:
        """Return the messages about all cameras."""
        messages: Messages = {}
        for camera_id in self._cameras:
            messages |= self.messages_of(camera_id)
        return messages

    def _follow(self, camera: _Camera, event: ActionEvent | AlarmEvent) -> None:
        camera.up = True
        if isinstance(event, AlarmEvent):
            key: tuple[SensorKind, str] = ("rule", event.rule)
            if event.snapshot is not None:
                camera.snapshot = event
        else:
            key = ("action", event.action)
        sensor = camera.sensors.setdefault(key, _Sensor())
        sensor.last = _known_of(event)
        if event.is_open:
            sensor.open[event.interval_id] = sensor.last
        else:
            sensor.open.pop(event.interval_id, None)

    def _image_of(self, camera: _Camera) -> bytes | None:
        """Return the newest snapshot, read once."""
        if camera.snapshot is not None and camera.image[0] != camera.snapshot.event_id:
            image = snapshot_of(camera.snapshot, self._evidence)
            camera.image = camera.snapshot.event_id, image or camera.image[1]
        return camera.image[1]

    def _device(self, camera_id: str) -> dict[str, Any]:
        return {
            "identifiers": [f"behaviour-stream_{_id(camera_id)}"],
            "name": printable(camera_id, _SHOWN),
            "manufacturer": "behaviour-stream",
            "model": "camera",
            "sw_version": __version__,
        }


class _Entities:
    """Discovery messages of one device."""

    def __init__(self, prefix: str, base: str, device: Mapping[str, Any], bridge: str) -> None:
        self.messages: Messages = {}
        self._prefix, self._base, self._device, self._bridge = prefix, base, device, bridge

    def add(
        self, component: str, key: str, name: str, topic: str, *, is_about: bool = True
    ) -> None:
        """Add an entity.

        Args:
            component: of Home Assistant.
            key: of the entity in its device.
            name: that is shown.
            topic: of its state or image.
            is_about: it is about what the camera sees, so it is unknown while the camera is down,
                and the topic has attributes of binary sensors below it.
        """
        [identifier] = self._device["identifiers"]
        unique = f"{identifier}_{_id(key)}"
        availability = [{"topic": self._bridge}]
        entity: dict[str, Any] = {
            "name": printable(name, _SHOWN),
            "unique_id": unique,
            "device": self._device,
            "origin": {"name": "behaviour-stream", "sw_version": __version__},
            "availability_mode": "all",
        }
        if is_about:
            connection = {"topic": f"{self._base}/connection"}
            connection |= {"payload_available": _ON, "payload_not_available": _OFF}
            availability.append(connection)
        if component == "image":
            entity |= {"image_topic": topic, "content_type": "image/jpeg"}
        elif component == "sensor":
            entity |= {"state_topic": topic, "state_class": "measurement"}
            entity["unit_of_measurement"] = "people"
        else:
            entity |= {"state_topic": topic, "payload_on": _ON, "payload_off": _OFF}
            if is_about:
                entity["json_attributes_topic"] = f"{topic}/attributes"
            else:
                entity |= {"device_class": "connectivity", "entity_category": "diagnostic"}
        entity["availability"] = availability
        path = f"{self._prefix}/{component}/{identifier}/{_id(key)}/config"
        self.messages[path] = json.dumps(entity, separators=(",", ":")).encode()


def _flag(is_on: bool) -> bytes:
    return (_ON if is_on else _OFF).encode()


def _begin_run(camera: _Camera, origin: str) -> None:
    """Forget what an earlier run left open: it was killed, and its ends are lost."""
    _close_all(camera)
    camera.origin = origin
    newest = list(camera.newest_seq.items())[-_RUNS:]
    camera.newest_seq = dict(newest)


def _close_all(camera: _Camera) -> None:
    for sensor in camera.sensors.values():
        sensor.open.clear()


def _known_of(event: ActionEvent | AlarmEvent) -> dict[str, Any]:
    known: dict[str, Any] = {"score": event.score, "since": event.start_time}
    if isinstance(event, AlarmEvent):
        known |= {"people": list(event.track_ids), "zone": event.zone}
        known |= {"severity": event.severity, "reason": event.reason}
    else:
        known["people"] = list(event.people)
    return known


def _attributes(sensor: _Sensor) -> dict[str, Any]:
    """Return what is known of the newest interval, and how many are open."""
    return sensor.last | {"count": len(sensor.open)}


def _id(name: str) -> str:
    """Return a name of the characters that Home Assistant takes in topics and ids; unique."""
    safe = re.sub(r"[^a-zA-Z0-9-]", lambda found: f"_{ord(found[0]):x}_", name)
    if len(safe) <= _NAME_CHARACTERS:
        return safe
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{safe[: _NAME_CHARACTERS - 17]}_{digest}"


def _level(name: str) -> str:
    """Return a name as one level of a topic."""
    return _id(name)
