"""A real MQTT broker on loopback that can be killed and started again."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from pwdlib import PasswordHash

from testbed.free_port import free_port

PASSWORD = "hunter2"  # of the user `cam`, where there are users
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@dataclass(frozen=True)
class Access:
    """Who may connect, and how."""

    users: bool = False  # the user `cam` alone
    certificate: Path | None = None  # with its key in the same file
    rules: tuple[str, ...] = ()  # lines of mosquitto's acl_file; none: everything is allowed
    settings: tuple[str, ...] = ()  # further lines of mosquitto's configuration


class Broker:
    """A broker process; as a context manager it runs within the block."""

    def __init__(self, kind: str, folder: Path, access: Access) -> None:
        self.port = free_port()
        self._log = folder / "broker.log"
        write = {"amqtt": _write_amqtt, "mosquitto": _write_mosquitto}[kind]
        self._command = write(folder, self.port, access)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start the process and wait until it accepts connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        process = self._process
        wait_until(lambda: process.poll() is not None or is_open(self.port))
        assert process.poll() is None, self._log.read_text()

    def kill(self) -> None:
        """Kill the process; `start` starts it again on the same port."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None

    def freeze(self) -> None:
        """Stop the process without closing its connections."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)


class Listener:
    """Receive what a broker passes on; a context manager."""

    def __init__(self, port: int, topics: str = "#") -> None:
        self.messages: queue.Queue[tuple[str, str, bool]] = queue.Queue()  # topic, text, retained
        self._ready: queue.Queue[None] = queue.Queue()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda client, data, message: self.messages.put(
            (message.topic, message.payload.decode(errors="replace"), message.retain)
        )
        self._client.on_connect = lambda client, *rest: client.subscribe(topics, qos=1)
        self._client.on_subscribe = lambda *rest: self._ready.put(None)
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> Listener:
        self._client.loop_start()
        self._ready.get(timeout=20)
        return self

    def __exit__(self, *error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def next(self) -> tuple[str, str, bool]:
        """Wait for the next message; return its topic, its text and whether it was retained."""
        return self.messages.get(timeout=20)


def is_open(port: int) -> bool:
    """Return whether a port on loopback accepts connections."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Wait until a condition holds; fail after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _write_amqtt(folder: Path, port: int, access: Access) -> list[str]:
    listener: dict[str, object] = {"type": "tcp", "bind": f"127.0.0.1:{port}"}
    plugins: dict[str, object] = {
        "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": not access.users}
    }
    if access.certificate is not None:
        file = str(access.certificate)
        listener |= {"ssl": True, "certfile": file, "keyfile": file}
    if access.users:
        (folder / "users").write_text(f"cam:{PasswordHash.recommended().hash(PASSWORD)}\n")
        plugins["amqtt.plugins.authentication.FileAuthPlugin"] = {
            "password_file": str(folder / "users")
        }
    settings = folder / "amqtt.yaml"
    settings.write_text(yaml.safe_dump({"listeners": {"default": listener}, "plugins": plugins}))
    start = "from amqtt.scripts.broker_script import main; main()"
    return [sys.executable, "-c", start, "-c", str(settings)]


def _write_mosquitto(folder: Path, port: int, access: Access) -> list[str]:
    # Started by root it would otherwise become a user who may not read the folder.
    lines = ["user root", f"listener {port} 127.0.0.1"]
    lines.append(f"allow_anonymous {str(not access.users).lower()}")
    if access.certificate is not None:
        lines += [f"certfile {access.certificate}", f"keyfile {access.certificate}"]
    if access.users:
        users = folder / "users"
        subprocess.run(["mosquitto_passwd", "-b", "-c", users, "cam", PASSWORD], check=True)
        lines.append(f"password_file {users}")
    if access.rules:
        (folder / "rules").write_text("\n".join(access.rules) + "\n")
        lines.append(f"acl_file {folder / 'rules'}")
    lines += access.settings
    settings = folder / "mosquitto.conf"
    settings.write_text("\n".join(lines) + "\n")
    assert MOSQUITTO is not None
    return [MOSQUITTO, "-c", str(settings)]
