"""What both subscribers do with their options and with errors of the server."""

from __future__ import annotations

import pytest
import redis

from pipeline.errors import EventStoreError
from pipeline.subscriber import Subscriber
from tests.pipeline.subscriber.readers import Reader


def test_a_start_that_is_no_entry_id_is_an_error(server: str) -> None:
    with pytest.raises(ValueError, match="start must be"):
        Subscriber(server, start="yesterday")


def test_a_server_that_refuses_is_an_error_without_the_password(
    server: str, client: redis.Redis
) -> None:
    client.acl_setuser("reader", enabled=True, passwords=["+right"], categories=["+@all"])
    url = server.replace("redis://", "redis://reader:hunter2@")
    with Reader(url) as reader, pytest.raises(EventStoreError, match="refuses user") as failure:
        list(reader.subscriber)
    assert "hunter2" not in str(failure.value)


class ScriptedClient:
    """Raises what it was given, one after the other, then knows the end of an empty stream."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)

    def eval(self, *arguments: object) -> list[object]:
        if self._errors:
            raise self._errors.pop(0)
        return [b"0-0", []]

    def xread(self, *arguments: object, **options: object) -> list[object]:
        return []

    def close(self) -> None:
        pass


class ScriptedSubscriber(Subscriber):
    script: tuple[Exception, ...] = ()

    def _connect(self, url: str, *, socket_timeout_s: float) -> ScriptedClient:
        return ScriptedClient(*self.script)


def test_pauses_grow_while_the_server_is_unavailable_and_one_line_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pipeline.runtime.backoff.random.uniform", lambda low, high: high)
    monkeypatch.setattr(ScriptedSubscriber, "script", (redis.ConnectionError("gone"),) * 7)
    pauses: list[float | None] = []

    def wait(timeout: float | None = None) -> bool:
        pauses.append(timeout)
        return False

    with ScriptedSubscriber("redis://host", to_end_only=True) as subscriber:
        monkeypatch.setattr(subscriber._stop, "wait", wait)
        assert list(subscriber) == []
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 3.0])
    waiting, answering = [record.message for record in caplog.records]
    assert waiting.startswith("Redis at redis://host does not answer: gone")
    assert answering == "Redis at redis://host answers again"
