"""`dead-letters` as it is typed; what it does on the stream is tested with its module."""

from __future__ import annotations

import json

import pytest
import redis
from typer.testing import CliRunner, Result

from pipeline.commands.dead_letters import app
from pipeline.events import encode_event
from pipeline.subscriber.options import DEFAULT_STREAM
from tests.pipeline.decided_items import make_event


def run(server: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--redis", server])


@pytest.fixture
def letters(client: redis.Redis) -> list[str]:
    """The ids of three letters of the bridge to MQTT; the last one is no event."""
    client.xgroup_create(DEFAULT_STREAM, "bridge-mqtt", "0", mkstream=True)
    texts = [encode_event(make_event(1, camera_id="gate\x1b[2J")), encode_event(make_event(2)), "{"]
    key = f"{{{DEFAULT_STREAM}}}:dead:bridge-mqtt"
    fields = {"tries": "5", "reason": "the broker refuses it\x07"}
    return [client.xadd(key, {"event": text, **fields}).decode() for text in texts]


def test_letters_are_listed_without_what_a_terminal_would_obey(
    server: str, letters: list[str]
) -> None:
    listed = run(server, "list")
    lines = listed.stdout.splitlines()
    assert (listed.exit_code, len(lines)) == (0, 3)
    assert all(line.isprintable() for line in lines)
    assert all(one in line for one, line in zip(letters, lines, strict=True))
    assert "bridge-mqtt" in lines[0]
    assert "5 tries" in lines[0]
    assert r"(the broker refuses it\x07)" in lines[0]
    assert "no event: an event must be JSON" in lines[2]
    assert run(server, "list", "--group", "alarms").stdout == ""


def test_letters_are_listed_as_json(server: str, letters: list[str]) -> None:
    listed = run(server, "list", "--json", "--bridge", "mqtt", "--limit", "2")
    first, second = map(json.loads, listed.stdout.splitlines())
    assert [first["id"], second["id"]] == letters[:2]
    assert (first["group"], first["tries"], first["problem"]) == ("bridge-mqtt", 5, None)
    assert first["reason"] == "the broker refuses it\x07"
    assert first["event"]["camera_id"] == "gate\x1b[2J"


def test_one_letter_or_the_oldest_or_all_are_put_back(
    server: str, client: redis.Redis, letters: list[str]
) -> None:
    assert run(server, "replay", "--bridge", "mqtt", letters[1]).exit_code == 0
    assert run(server, "replay", "--bridge", "mqtt", "--limit", "1").exit_code == 0
    assert client.xlen(DEFAULT_STREAM) == 2
    done = run(server, "replay", "--bridge", "mqtt")
    assert "1 dead letters of bridge-mqtt are on the stream again" in done.output
    assert "no dead letters" in run(server, "list").output


def test_dropping_needs_to_be_told_what(
    server: str, client: redis.Redis, letters: list[str]
) -> None:
    assert run(server, "drop", "--bridge", "mqtt").exit_code == 2
    assert run(server, "drop", "--bridge", "mqtt", letters[0]).exit_code == 0
    assert len(run(server, "list").stdout.splitlines()) == 2
    assert run(server, "drop", "--bridge", "mqtt", "--all").exit_code == 0
    assert client.xlen(DEFAULT_STREAM) == 0
    assert run(server, "list").stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay",),
        ("replay", "--group", "a", "--bridge", "mqtt"),
        ("drop", "--group", "alarms", "1-0"),
        ("list", "--limit", "0"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    server: str, letters: list[str], arguments: tuple[str, ...]
) -> None:
    done = run(server, *arguments)
    assert done.exit_code == 2
    assert "Traceback" not in done.output


def test_a_server_that_is_not_there_is_one_line() -> None:
    done = run("redis://127.0.0.1:1/0", "list")
    assert done.exit_code == 1
    assert "does not answer" in done.output
