"""Ask Redis Sentinels for the master of a service; say what each of them answered if none knows.

In place of the search of redis-py, whose error has objects in it instead of the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis
from redis.asyncio.sentinel import Sentinel as _AsyncSentinel
from redis.sentinel import Sentinel as _Sentinel

_HINT = " (the sentinels' own password is ?sentinel_password=...)"


class MasterUnknownError(redis.ConnectionError):
    """No sentinel names a master; that may pass."""


class _Answers:
    """What the sentinels that name no master have answered."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._errors: list[Exception] = []
        self._texts: list[str] = []

    def failed(self, sentinel: Any, error: Exception) -> None:
        self._errors.append(error)
        self._texts.append(f"{_place(sentinel)}: {error}")

    def names_none(self, sentinel: Any, state: Mapping[str, Any] | None) -> None:
        why = "does not know it" if state is None else "takes it for down"
        self._texts.append(f"{_place(sentinel)} {why}")

    def as_error(self) -> redis.RedisError:
        """Return the error: a final one if all sentinels refuse the password."""
        texts = "; ".join(self._texts)
        refused = [isinstance(error, redis.AuthenticationError) for error in self._errors]
        text = f"no sentinel names the master of {self._service!r}: {texts}"
        if len(refused) == len(self._texts) and all(refused):
            return redis.AuthenticationError(text + _HINT)
        return MasterUnknownError(text + (_HINT if any(refused) else ""))


def _place(sentinel: Any) -> str:
    options = sentinel.connection_pool.connection_kwargs
    return f"{options['host']} port {options['port']}"


class SentinelSet(_Sentinel):
    """Sentinels, asked in turn."""

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return host and port of the master of a service.

        Raises:
            MasterUnknownError: if no sentinel names it.
            redis.AuthenticationError: if all refuse the password.
        """
        answers = _Answers(service_name)
        for sentinel in list(self.sentinels):
            try:
                masters: Any = sentinel.sentinel_masters()
            except redis.RedisError as error:
                answers.failed(sentinel, error)
                continue
            finally:
                sentinel.connection_pool.disconnect()  # a client that is closed leaves none open
            state = masters.get(service_name)
            if state and self.check_master_state(state, service_name):  # type: ignore[no-untyped-call]
                return state["ip"], state["port"]
            answers.names_none(sentinel, state)
        raise answers.as_error()


class AsyncSentinelSet(_AsyncSentinel):
    """The twin for asyncio."""

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """See `SentinelSet.discover_master`."""
        answers = _Answers(service_name)
        for sentinel in list(self.sentinels):
            try:
                masters: Any = await sentinel.sentinel_masters()
            except redis.RedisError as error:
                answers.failed(sentinel, error)
                continue
            finally:
                await sentinel.connection_pool.disconnect()
            state = masters.get(service_name)
            if state and self.check_master_state(state, service_name):
                return state["ip"], state["port"]
            answers.names_none(sentinel, state)
        raise answers.as_error()
