"""The faults of `benchmarks.chaos`: of the server, the network, the processes, disks and clocks."""

from __future__ import annotations

import random
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks.chaos_disk import AppendOnlyFiles, cut_outbox, flip_bit
from benchmarks.chaos_records import ProducedRecord
from testbed.tcp_proxy import TcpProxy

_MAX_SKEW_S = 40 * 86_400.0


class FaultyServer(Protocol):
    """A redis-server that can be killed and started again."""

    def start(self) -> None:
        """Start the process."""

    def signal(self, number: int) -> None:
        """Send a signal; after SIGKILL wait until the process has ended."""

    def wait_until_ready(self) -> None:
        """Wait until it answers."""


class FaultyWorkers(Protocol):
    """The publisher and consumer processes."""

    def start(self, name: str, clock_offset_s: float = 0.0) -> None:
        """Start a process."""

    def kill(self, name: str) -> str:
        """Kill a process; returns the run id that it had."""

    def pid(self, name: str) -> int:
        """Return the process id."""


@dataclass(slots=True)
class FaultInjector:
    """Faults of one system.

    Attributes:
        power_lost: runs whose machine lost its power, with the numbers that were synced.
        damaged: runs whose outbox has a flipped bit.
        longest_unsynced_s: longest time between the newest sync and a power cut, seconds.
    """

    server: FaultyServer
    proxy: TcpProxy
    workers: FaultyWorkers
    append_only: AppendOnlyFiles
    folder: Path
    random: random.Random
    power_lost: dict[str, tuple[int, ...]] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    longest_unsynced_s: float = 0.0

    def faults(self) -> dict[str, Callable[[], None]]:
        """Return the faults by name; each call returns after the fault has been undone."""
        return {
            "server killed": self._kill_server,
            "server frozen": self._freeze_server,
            "server without power": self._cut_power_of_server,
            "connections cut": self.proxy.cut,
            "connections refused": self._refuse,
            "replies lost": self._lose_replies,
            "network delayed": self._delay,
            "publisher killed": lambda: self._kill_worker("publisher"),
            "publisher without power": self._cut_power_of_publisher,
            "outbox damaged": self._damage_outbox,
            "disk full": self._fill_disk,
            "consumer killed": lambda: self._kill_worker("consumer"),
            "clock wrong": self._set_clock,
        }

    def _kill_server(self) -> None:
        self.server.signal(signal.SIGKILL)
        time.sleep(self.random.uniform(0.0, 0.5))
        self._start_server()

    def _cut_power_of_server(self) -> None:
        self.server.signal(signal.SIGKILL)
        self.append_only.cut()
        self._start_server()

    def _start_server(self) -> None:
        self.server.start()
        self.server.wait_until_ready()

    def _freeze_server(self) -> None:
        self.server.signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.2, 3.0))
        self.server.signal(signal.SIGCONT)

    def _refuse(self) -> None:
        self.proxy.refuses = True
        self.proxy.cut()
        time.sleep(self.random.uniform(0.1, 1.0))
        self.proxy.refuses = False

    def _lose_replies(self) -> None:
        for _ in range(self.random.randint(1, 5)):
            self.proxy.drop_next_reply.set()
            time.sleep(self.random.uniform(0.0, 0.05))

    def _delay(self) -> None:
        self.proxy.delay_s = self.random.uniform(0.001, 0.05)
        time.sleep(self.random.uniform(0.1, 0.5))
        self.proxy.delay_s = 0.0

    def _name_of(self, kind: str) -> str:
        return f"{kind}-{self.random.randint(1, 2)}"

    def _kill_worker(self, kind: str) -> None:
        name = self._name_of(kind)
        self.workers.kill(name)
        time.sleep(self.random.uniform(0.0, 0.2))
        self.workers.start(name)

    def _set_clock(self) -> None:
        name = self._name_of(self.random.choice(["publisher", "consumer"]))
        self.workers.kill(name)
        self.workers.start(name, self.random.uniform(-_MAX_SKEW_S, _MAX_SKEW_S))

    def _cut_power_of_publisher(self) -> None:
        name = self._name_of("publisher")
        run_id = self.workers.kill(name)
        outbox = self._outbox_of(name, run_id)
        if outbox is not None and run_id not in self.damaged:
            record = ProducedRecord(self.folder, run_id)
            synced = record.synced
            self.power_lost[run_id] = synced.numbers
            if record.numbers != synced.numbers and synced.at:
                unsynced_s = time.monotonic() - synced.at
                self.longest_unsynced_s = max(self.longest_unsynced_s, unsynced_s)
            cut_outbox(outbox, synced, self.random)
        self.workers.start(name)

    def _damage_outbox(self) -> None:
        name = self._name_of("publisher")
        run_id = self.workers.kill(name)
        outbox = self._outbox_of(name, run_id)
        if outbox is not None:
            self.damaged.add(run_id)
            flip_bit(outbox, self.random)
        self.workers.start(name)

    def _fill_disk(self) -> None:
        """Let no file of a publisher grow, which SQLite and Python meet as a failing write."""
        pid = self.workers.pid(self._name_of("publisher"))
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
        time.sleep(self.random.uniform(0.2, 3.0))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

    def _outbox_of(self, name: str, run_id: str) -> Path | None:
        found = list((self.folder / f"outbox-{name}").glob(f"{run_id}-*.outbox"))
        return found[0] if found else None
