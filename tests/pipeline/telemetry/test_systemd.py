from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.telemetry import systemd as service_manager
from pipeline.telemetry.systemd import SystemdNotifier


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """The service manager's end: a datagram socket at a path, or at "@" and an abstract name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + address[1:] if address.startswith("@") else address)
        receiver.settimeout(5.0)
        yield receiver


def received(receiver: socket.socket) -> str:
    return receiver.recv(4096).decode()


def send_every_message(manager: SystemdNotifier) -> None:
    manager.ready()
    manager.status("2 of 3 cameras are up")
    manager.alive()
    manager.stopping()
    manager.reloading()


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_every_message_is_one_datagram(tmp_path: Path, abstract: bool) -> None:
    address = f"@behaviour-stream-{secrets.token_hex(8)}" if abstract else str(tmp_path / "notify")
    manager = SystemdNotifier.from_environment({"NOTIFY_SOCKET": address})
    with listening(address) as receiver:
        send_every_message(manager)
        assert [received(receiver) for _ in range(4)] == [
            "READY=1",
            "STATUS=2 of 3 cameras are up",
            "WATCHDOG=1",
            "STOPPING=1",
        ]
        assert received(receiver).startswith("RELOADING=1\n")


def test_a_reload_carries_the_monotonic_clock(tmp_path: Path) -> None:
    """Type=notify-reload takes no reload without it."""
    address = str(tmp_path / "notify")
    with listening(address) as receiver:
        before = time.clock_gettime(time.CLOCK_MONOTONIC)
        SystemdNotifier(address).reloading()
        after = time.clock_gettime(time.CLOCK_MONOTONIC)
        reloading, clock = received(receiver).split("\n")
    assert reloading == "RELOADING=1"
    name, microseconds = clock.split("=")
    assert name == "MONOTONIC_USEC"
    assert int(before * 1e6) - 1 <= int(microseconds) <= after * 1e6 + 1


def test_a_status_cannot_smuggle_in_another_message(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with listening(address) as receiver:
        SystemdNotifier(address).status("camera gate\nSTOPPING=1\r\n \udcff")
        assert received(receiver) == "STATUS=camera gate STOPPING=1 ?"


def test_without_a_socket_nothing_is_sent_and_no_call_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": ""}):
        manager = SystemdNotifier.from_environment({**environment, "WATCHDOG_USEC": "30000000"})
        send_every_message(manager)
        assert manager.watchdog_interval_s is None
    assert not caplog.records


@pytest.mark.parametrize(
    "address",
    [
        "{folder}/gone",
        "@nobody-listens-{token}",
        "vsock:2:9999",
        "/" + 200 * "long",
        "@" + 200 * "l",
    ],
    ids=["path", "abstract", "not supported", "too long a path", "too long a name"],
)
def test_a_socket_that_is_gone_stops_nothing_and_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    address = address.format(folder=tmp_path, token=secrets.token_hex(8))
    with caplog.at_level(logging.WARNING):
        send_every_message(SystemdNotifier(address))
    assert len(caplog.records) == 1
    assert "cannot notify the service manager" in caplog.text


def test_a_service_manager_that_does_not_read_delays_a_run_only_briefly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_manager, "SEND_LIMIT_S", 0.05)
    address = str(tmp_path / "notify")
    with listening(address):
        manager = SystemdNotifier(address)
        for _ in range(1000):  # more than its queue holds
            manager.alive()
            if caplog.records:
                return
    pytest.fail("no message was ever dropped")


def test_messages_arrive_again_once_the_socket_is_back(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    manager = SystemdNotifier(address)
    manager.alive()
    with listening(address) as receiver:
        manager.alive()
        assert received(receiver) == "WATCHDOG=1"


@pytest.mark.parametrize(
    ("watchdog", "interval_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getppid())}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "me"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_asks(
    watchdog: dict[str, str], interval_s: float | None
) -> None:
    manager = SystemdNotifier.from_environment({"NOTIFY_SOCKET": "/run/notify", **watchdog})
    assert manager.watchdog_interval_s == interval_s
