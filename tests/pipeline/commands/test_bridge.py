"""The command `bridge` and the example as they are started: real processes, Redis and receivers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from pipeline.config.schema import PipelineConfig, load_config
from pipeline.config.secret_file import read_secret
from pipeline.delivery.stream_writer import EventStream, Trimming
from pipeline.errors import ConfigError
from pipeline.events import Event, decode_event
from testbed.free_port import free_port
from testbed.http_receiver import http_receiver
from testbed.mqtt_broker import Access, Broker, Listener, wait_until
from tests.conftest import REPOSITORY
from tests.pipeline.decided_items import make_event, stored

STREAM = "behaviour:events"
FIGHT = make_event(2, action="fight")


def config_with(*settings: str) -> PipelineConfig:
    return load_config(None, settings)


def publish(server: str, events: Sequence[Event]) -> None:
    with EventStream(server, stream=STREAM, trimming=Trimming(1000)) as stream:
        stream.append([stored(event) for event in events])


@contextmanager
def running(
    client: redis.Redis, group: str, *arguments: str, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Start once its group exists, so that it misses nothing."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "NO_PROXY": "*"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=REPOSITORY,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: process.poll() is not None or group in groups(client))
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.kill()
        process.wait()


def groups(client: redis.Redis) -> list[str]:
    if not client.exists(STREAM):
        return []
    return [group["name"].decode() for group in client.xinfo_groups(STREAM)]


def pending(client: redis.Redis, group: str) -> int:
    return int(client.xpending(STREAM, group)["pending"])


def test_the_webhook_gets_the_events_of_its_filter_until_ctrl_c(
    server: str, client: redis.Redis, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("hunter2\n")
    with http_receiver() as receiver:
        url = receiver.url.replace("http://", "http://user:hunter3@") + "/hunter4"
        settings = f"""
bridges:
  webhook: {{url: "{url}", secret_file: "{tmp_path}/key", filter: [action=fight]}}
"""
        (tmp_path / "own.yaml").write_text(settings)
        log = tmp_path / "log"
        own = ["--config", str(tmp_path / "own.yaml"), "--redis", server]
        command = ["run_pipeline.py", "--log-level", "debug", "bridge", "webhook", *own]
        with running(client, "bridge-webhook", *command, log=log) as process:
            publish(server, [make_event(1), FIGHT])
            assert decode_event(receiver.next().body) == FIGHT
            wait_until(lambda: pending(client, "bridge-webhook") == 0)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
    assert "hunter" not in log.read_text()
    assert f"go to the webhook at http://127.0.0.1:{receiver.port}" in log.read_text()


def test_what_waits_for_a_receiver_is_there_after_a_restart(
    server: str, client: redis.Redis, tmp_path: Path
) -> None:
    options = ["--redis", server, "--set"]
    away = f"bridges.webhook.url=http://127.0.0.1:{free_port()}/"
    log, command = tmp_path / "log", ["run_pipeline.py", "bridge", "webhook", *options]
    with running(client, "bridge-webhook", *command, away, log=log) as process:
        publish(server, [make_event(1), FIGHT])
        wait_until(lambda: "waiting for it" in log.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    with http_receiver() as receiver:
        here = f"bridges.webhook.url={receiver.url}"
        with running(client, "bridge-webhook", *command, here, log=log):
            received = {decode_event(receiver.next().body).seq for _ in range(2)}
    assert received == {1, 2}


def test_the_second_ctrl_c_does_not_wait_for_a_receiver_that_hangs(
    server: str, client: redis.Redis, tmp_path: Path
) -> None:
    with http_receiver() as receiver:
        receiver.may_reply.clear()
        settings = [f"bridges.webhook.url={receiver.url}", "bridges.webhook.timeout_s=600"]
        options = [part for setting in settings for part in ("--set", setting)]
        command = ["run_pipeline.py", "bridge", "webhook", "--redis", server, *options]
        with running(client, "bridge-webhook", *command, log=tmp_path / "log") as process:
            publish(server, [make_event(1)])
            receiver.next()
            process.send_signal(signal.SIGINT)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=0.5)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 130
    assert pending(client, "bridge-webhook") == 1


def test_the_broker_gets_the_events(server: str, client: redis.Redis, tmp_path: Path) -> None:
    settings = ["bridges.mqtt.host=127.0.0.1", "bridges.mqtt.topic=home/{camera_id}/{action}"]
    with Broker("amqtt", tmp_path, Access()) as broker, Listener(broker.port) as listener:
        settings.append(f"bridges.mqtt.port={broker.port}")
        options = [part for setting in settings for part in ("--set", setting)]
        command = ["run_pipeline.py", "bridge", "mqtt", "--redis", server, *options]
        with running(client, "bridge-mqtt", *command, log=tmp_path / "log") as process:
            publish(server, [make_event(1), FIGHT])
            messages = [listener.next() for _ in range(2)]
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
    assert [topic for topic, _, _ in messages] == ["home/gate/walking", "home/gate/fight"]
    assert decode_event(messages[1][1]) == FIGHT


def test_the_example_posts_the_start_of_a_fight(
    server: str, client: redis.Redis, tmp_path: Path
) -> None:
    with http_receiver() as receiver:
        command = ["examples/webhook.py", server, receiver.url]
        with running(client, "fights", *command, log=tmp_path / "log"):
            end = make_event(3, "end", action="fight")
            publish(server, [make_event(1), FIGHT, end, make_event(4, action="fight")])
            received = [decode_event(receiver.next().body).seq for _ in range(2)]
    assert received == [2, 4]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("webhook", [], "bridges.webhook.url: not set"),
        ("mqtt", [], "bridges.mqtt.host: not set"),
        ("notify", [], "bridges.notify.targets: not set"),
        (
            "webhook",
            ["bridges.webhook.url=http://h", "bridges.webhook.secret_file=absent"],
            "bridges.webhook.secret_file: cannot read absent (No such file or directory)",
        ),
        (
            "mqtt",
            ["bridges.mqtt={host: h, username: u, password_file: absent}"],
            "bridges.mqtt.password_file: cannot read absent",
        ),
        ("webhook", ["bridges.webhook.url=http://h", "redis.url=none"], "without a Redis"),
        ("pigeon", [], "pigeon"),
    ],
)
def test_what_cannot_run_is_named_by_its_key(name: str, settings: list[str], message: str) -> None:
    options = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, "run_pipeline.py", "--log-level", "warning", "bridge", name]
    done = subprocess.run([*command, *options], cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


def test_bridges_are_off_by_default() -> None:
    bridges = config_with().bridges
    assert (bridges.webhook.url, bridges.mqtt.host) == (None, None)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("bridges.webhook.url=host/x", "bridges.webhook: url must start with http:// or https://"),
        ("bridges.webhook.filter=[color=red]", "bridges.webhook.filter: 'color=red': expected"),
        ("bridges.webhook.timeout_s=0", "bridges.webhook.timeout_s: .*greater than 0"),
        ("bridges.mqtt.topic=a/#", "bridges.mqtt.topic: .*no wildcards"),
        ("bridges.mqtt.host=mqtt://h", "bridges.mqtt.host: "),
        ("bridges.mqtt.port=70000", "bridges.mqtt.port: "),
        ("bridges.mqtt.password_file=x", "bridges.mqtt: password_file needs a username"),
        ("bridges.kafka=1", "bridges.kafka: unknown key"),
    ],
)
def test_a_mistake_in_the_configuration_is_named(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_with(setting)


def test_a_configuration_in_a_log_or_a_message_has_no_url_in_it() -> None:
    config = config_with("bridges.webhook.url=https://hooks.example/hunter2")
    assert "hunter2" not in config.model_dump_json()
    assert config.bridges.webhook.url == "https://hooks.example/hunter2"
    with pytest.raises(ConfigError) as caught:
        config_with("bridges.webhook.url=ftp://user:hunter2@host")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("content", [b"hunter2", b"hunter2\n", b"hunter2\r\n"])
def test_a_secret_is_what_stands_before_the_line_end(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    assert read_secret(tmp_path / "key", "a.b") == "hunter2"


@pytest.mark.parametrize(
    ("content", "message"), [(b"\n", "empty"), (b"hunter2\xff", "no UTF-8"), (None, "cannot read")]
)
def test_a_secret_that_is_none_names_key_and_file(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"a\.b: .*{message}") as caught:
        read_secret(tmp_path / "key", "a.b")
    assert str(tmp_path / "key") in str(caught.value)
    assert "hunter" not in str(caught.value)
