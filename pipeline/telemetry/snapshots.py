"""One look at a live run as a whole: counters, queues, delivery, memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sized
from typing import Protocol

from pipeline.telemetry.run_status import RunStatus, Snapshot


class Stage(Sized, Protocol):
    """A queue whose consumer may hang."""

    busy_since: float | None  # monotonic: since when the consumer is at work on one piece


class Delivery(Protocol):
    """What is known of the way to Redis."""

    last_error: str | None

    @property
    def waiting(self) -> int:
        """Events that Redis has not got yet."""
        ...


class LiveView:
    """Makes snapshots, from any thread.

    Args:
        status: the counters.
        stuck_s: a consumer that works on one piece for longer hangs.
        gpu_memory: bytes that PyTorch holds, or None.
    """

    def __init__(
        self, status: RunStatus, stuck_s: float, gpu_memory: Callable[[], int | None]
    ) -> None:
        self._status, self._stuck_s, self._gpu_memory = status, stuck_s, gpu_memory
        self._stages: Mapping[str, Stage] = {}
        self._queues: Mapping[str, Sized] = {}
        self.delivery: Delivery | None = None

    def attach(self, stages: Mapping[str, Stage], queues: Mapping[str, Sized]) -> None:
        """Say what there is to look at.

        Args:
            stages: queues by the name of the stage that takes from them.
            queues: further ones, by their own name.
        """
        self._stages, self._queues = stages, queues

    def __call__(self) -> Snapshot:
        """How it is now."""
        queues = {**self._stages, **self._queues}
        delivery = self.delivery
        return self._status.snapshot(
            queues={name: len(queue) for name, queue in queues.items()},
            stuck=self._stuck(),
            outbox_waiting=0 if delivery is None else delivery.waiting,
            redis_error=None if delivery is None else delivery.last_error,
            gpu_memory_bytes=self._gpu_memory(),
        )

    def _stuck(self) -> str | None:
        for name, stage in self._stages.items():
            since = stage.busy_since
            if since is not None and (busy_s := time.monotonic() - since) > self._stuck_s:
                return f"{name} has been at one piece of work for {busy_s:.0f} s"
        return None
