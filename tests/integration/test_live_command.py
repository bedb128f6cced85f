"""`live` as a user starts it: a process, real models, a real RTSP server, a real Redis."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.redis_store.embedded_redis import running_server
from pipeline.subscriber import read_zone_rows
from testbed.free_port import free_port
from testbed.rtsp_camera import RtspCamera, missing_rtsp_server
from tests.conftest import REPOSITORY

PROGRAM = [sys.executable, str(REPOSITORY / "run_pipeline.py")]
PASSWORD = "hunter2@home"

pytestmark = pytest.mark.slow
needs_rtsp = pytest.mark.skipif(
    missing_rtsp_server() is not None, reason=str(missing_rtsp_server())
)


@contextmanager
def live(log: Path, *arguments: str | Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command with its standard error in a file; killed if it does not end by itself."""
    command = [*PROGRAM, "live", *map(str, arguments), "--set", "detector.weights=compact"]
    env = os.environ | environment
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, stderr=stderr, text=True, env=env) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def refused(*arguments: str, code: int = 2) -> str:
    done = subprocess.run([*PROGRAM, "live", *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def subscribed(output: Path, *arguments: str) -> list[dict[str, Any]]:
    command = [*PROGRAM, "subscribe", "--from", "0", "--json", "--output", output, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def systemd(name: str) -> Iterator[list[str]]:
    """The messages that a service sends to this address, for as long as the block lasts."""
    notified: list[str] = []

    def listen() -> None:
        while message := listener.recv(4096):
            notified.append(message.decode())

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield notified
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.sendto(b"", "\0" + name)
            thread.join()


def page(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        text: str = answer.read().decode()
        return text


def wait_until(holds: Callable[[], bool], log: Path, timeout_s: float = 200.0) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if holds():
                return
        except OSError:  # it does not listen yet
            pass
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


@needs_rtsp
@pytest.mark.timeout(600)
def test_an_operators_evening(tmp_path: Path, excerpts: Sequence[Path]) -> None:
    port, config, log = free_port(), tmp_path / "cameras.yaml", tmp_path / "log"
    secret = tmp_path / "gate.secret"
    secret.write_text(f"{PASSWORD}\n")
    with RtspCamera(excerpts[0], user="viewer", password=PASSWORD) as server:
        gate: dict[str, Any] = {"url": server.url, "username": "viewer"}
        gate["password_file"] = str(secret)
        gate["zones"] = {"all": {"points": [[0, 0], [1, 0], [1, 1], [0, 1]]}}
        yard = {"url": f"{server.url}-not-there", "username": "viewer", "password_env": "YARD"}
        content = {
            "cameras": {"gate": gate},
            "live": {"health": f"127.0.0.1:{port}", "detect_fps": 4, "report_interval_s": 1},
            "decision": {"start_threshold": 0.3, "end_threshold": 0.2},
        }
        config.write_text(yaml.safe_dump(content))

        def cameras() -> dict[str, dict[str, object]]:
            found: dict[str, dict[str, object]] = json.loads(page(port, "/health"))["cameras"]
            return found

        name = str(tmp_path)[-80:]
        named = {"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "1000000"}
        options = ["--config", config, "--output", tmp_path]
        with systemd(name) as notified, live(log, *options, **named) as process:
            wait_until(lambda: cameras().get("gate", {}).get("state") == "up", log)
            first, second = subscribed(tmp_path, "--count", "2")
            assert (first["kind"], first["camera_id"]) == ("camera_up", "gate")
            assert second["kind"] == "start"
            assert 0 < second["latency_ms"]["total"] < 60_000

            config.write_text("cameras: [")
            process.send_signal(signal.SIGHUP)
            wait_until(lambda: "not reloaded, everything stays as it is" in log.read_text(), log)
            config.write_text(yaml.safe_dump(content | {"cameras": {"gate": gate, "yard": yard}}))
            process.send_signal(signal.SIGHUP)
            wait_until(lambda: "no variable YARD" in log.read_text(), log)
            del yard["username"], yard["password_env"]
            config.write_text(yaml.safe_dump(content | {"cameras": {"gate": gate, "yard": yard}}))
            process.send_signal(signal.SIGHUP)
            wait_until(lambda: cameras().get("yard", {}).get("state") == "down", log)
            assert cameras()["gate"]["connects"] == 1
            metrics = page(port, "/metrics")
            assert 'behaviour_camera_state{camera="gate",state="up"} 1.0' in metrics
            assert 'behaviour_camera_state{camera="yard",state="down"} 1.0' in metrics
            assert 'behaviour_zone_entered_total{camera="gate",zone="all"}' in metrics
            for stage in ("decode", "detect", "track", "clip", "recognize", "publish"):
                assert f'behaviour_latency_seconds{{quantile="0.95",stage="{stage}"}}' in metrics
            assert 'behaviour_end_to_end_latency_seconds{quantile="0.95"}' in metrics
            wait_until(lambda: "1 of 2 cameras up (yard " in log.read_text(), log)

            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    assert notified[0] == "READY=1"
    assert notified[-1] == "STOPPING=1"
    assert notified.count("WATCHDOG=1") > 3
    reloads = [line for line in notified if line.startswith("RELOADING=1")]
    assert len(reloads) == 3
    text = log.read_text()
    assert "Traceback" not in text
    assert PASSWORD not in text
    assert "hunter2" not in text + metrics
    with running_server("embedded", tmp_path / "redis") as url:
        minutes = [row for _, row in read_zone_rows(url)]
    assert {(row.camera_id, row.zone) for row in minutes} == {("gate", "all")}
    assert [row.seq for row in minutes] == list(range(1, len(minutes) + 1))
    events = subscribed(tmp_path, "--no-follow")
    gates = [event for event in events if event["camera_id"] == "gate"]
    assert (gates[-1]["kind"], gates[-1]["reason"]) == ("camera_down", "stopped")
    assert [event["seq"] for event in gates] == list(range(1, len(gates) + 1))


@pytest.mark.timeout(600)
def test_rules_are_reloaded_while_the_camera_stays(
    tmp_path: Path, excerpts: Sequence[Path]
) -> None:
    config, log, events = tmp_path / "rules.yaml", tmp_path / "log", tmp_path / "e.jsonl"
    presence = {"more_than": 0, "zone": "all", "update_interval_s": 600, "end_after_s": 600}
    whole = {"points": [[0, 0], [1, 0], [1, 1], [0, 1]]}

    def write(**rules: object) -> None:
        cameras = {"gate": {"zones": {"all": whole}}}
        aside = tmp_path / "aside"
        aside.write_text(yaml.safe_dump({"cameras": cameras, "rules": rules}))
        aside.replace(config)

    def published() -> list[dict[str, Any]]:
        lines = events.read_text().split("\n")[:-1] if events.exists() else []
        return [json.loads(line) for line in lines]

    def alarms() -> list[tuple[str, str, str | None]]:
        found = [event for event in published() if event["kind"] == "alarm"]
        return [(event["rule"], event["phase"], event["end_reason"]) for event in found]

    write(kept=presence, old=presence)
    options = ["--config", config, "--redis", "none", "--events", events, "--output", tmp_path]
    options += ["--set", "live.health=null", "--set", "live.detect_fps=4"]
    with live(log, f"gate={excerpts[0]}?live&loop", *options) as process:
        wait_until(lambda: ("old", "start", None) in alarms(), log)
        write(kept=presence, wrong=presence | {"zone": "al"})
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "not reloaded, everything stays as it is" in log.read_text(), log)
        config.unlink()
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "cannot read the configuration" in log.read_text(), log)
        assert len(alarms()) == 2
        write(kept=presence, new=presence)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: ("new", "start", None) in alarms(), log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert "rules.wrong.zone: there is no zone al; did you mean all?" in log.read_text()
    assert alarms() == [
        ("kept", "start", None),
        ("old", "start", None),
        ("old", "end", "rule_removed"),
        ("new", "start", None),
        ("kept", "end", "stream_ended"),
        ("new", "end", "stream_ended"),
    ]
    assert [event["seq"] for event in published()] == list(range(1, len(published()) + 1))
    assert [event["kind"] for event in published()].count("camera_up") == 1


def test_what_cannot_be_watched_is_explained_before_anything_runs(excerpts: Sequence[Path]) -> None:
    assert "no camera" in refused()
    assert "?live" in refused(str(excerpts[0]))
    assert "no such file" in refused("gone.mp4?live")
    text = refused("gopher://viewer:hunter2@host/cam")
    assert "rtsp://" in text
    assert "hunter2" not in text


def test_an_address_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        text = refused("rtsp://127.0.0.1:9/cam", "--set", f"live.health={address}", code=1)
    assert "live.health" in text
    assert address in text


@pytest.mark.timeout(120)
def test_a_recording_plays_like_a_camera_to_its_end(
    tmp_path: Path, excerpts: Sequence[Path]
) -> None:
    log = tmp_path / "log"
    options = ["--redis", "none", "--events", tmp_path / "e.jsonl", "--output", tmp_path]
    arguments = [excerpts[2], "--realtime", *options, "--set", "live.health=null"]
    for _ in range(2):
        with live(log, *arguments) as process:
            assert process.wait(100) == 0
    lines = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    downs = [line["reason"] for line in lines if line["kind"] == "camera_down"]
    assert downs == ["stream_ended", "stream_ended"]  # the second run keeps what the first wrote
