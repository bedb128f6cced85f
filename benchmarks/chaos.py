"""Measure event loss, duplication and reordering while faults are injected into the delivery.

    python -m benchmarks.chaos [--faults 100] [--events 0] [--rate 500] [--seed 0] [--json FILE]

Two publishers and two consumers of one group use a real redis-server with an append-only file,
behind a TCP proxy. A seeded schedule kills (SIGKILL) the server, publishers and consumers, freezes
the server, cuts, refuses and delays connections and drops replies; it takes the power from the
machine of the server (its append-only file ends two seconds earlier) or of a publisher (its outbox
ends at the newest sync), flips bits in outboxes, fills disks and sets clocks wrong by up to 40
days. Afterwards every decided event must be on the stream exactly once and in order, and
acknowledged by the group at least once. Two exceptions: what was not synced when the power of its
publisher failed may be missing, and what a flipped bit made unreadable, if the log names it.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import redis
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.chaos_check import Allowances, Findings, check, count_reports
from benchmarks.chaos_disk import AppendOnlyFiles
from benchmarks.chaos_faults import FaultInjector
from benchmarks.chaos_processes import GROUP, STREAM, redis_section
from benchmarks.chaos_records import produced_total
from pipeline.config.shipped_files import PROJECT
from pipeline.delivery.deliver import flush_events
from pipeline.errors import OutboxError
from pipeline.redis_store.server_program import find_redis_server
from testbed.free_port import free_port
from testbed.tcp_proxy import TcpProxy

CLAIM_AFTER_S = 3.0
# The clock is set before anything else is imported.
_WITH_CLOCK = """
import sys, time
offset_s, clock = float(sys.argv.pop(1)), time.time
time.time = lambda: clock() + offset_s
from benchmarks.chaos_processes import main
main(sys.argv[1:])
"""
_DRAIN_TIMEOUT_S = 1800.0  # for the remaining events after the last fault


class RestartableRedis:
    """A redis-server that can be killed and restarted on the same port and append-only file."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self.folder, self._settings = folder, settings
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    @property
    def url(self) -> str:
        """Return the URL of the server itself, not of the proxy."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the process; return before it has loaded its file."""
        options = f"--port {self.port} --bind 127.0.0.1 --appendonly yes --appendfsync everysec"
        # A short tail of the file is what a restart has to execute command by command.
        rewrite = ["--auto-aof-rewrite-percentage", "30"]
        arguments = [*options.split(), "--save", "", *rewrite, *self._settings]
        self._process = subprocess.Popen(  # noqa: S603 - fixed arguments
            [str(find_redis_server()), *arguments], cwd=self.folder, stdout=subprocess.DEVNULL
        )

    def signal(self, number: int) -> None:
        """Send a signal; after SIGKILL wait until the process has ended."""
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()

    def wait_until_ready(self) -> None:
        """Wait until the server replies; see `client`."""
        self.client().close()

    def wait(self) -> None:
        """Wait until the process has ended."""
        assert self._process is not None
        self._process.wait()

    def client(self) -> redis.Redis:
        """Return a client as soon as the server replies.

        Raises:
            redis.RedisError: if it does not reply within 120 s.
        """
        client = redis.Redis.from_url(self.url, protocol=2, socket_timeout=30)
        deadline = time.monotonic() + 120.0
        while True:
            try:
                client.ping()
            except redis.RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return client


class Workers:
    """The publisher and consumer processes, by name."""

    def __init__(self, url: str, folder: Path, rate: float) -> None:
        self._url, self._folder, self._rate = url, folder, rate
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._starting: set[str] = set()

    def start(self, name: str, clock_offset_s: float = 0.0) -> None:
        """Start a process; a publisher resumes the outbox of its predecessor.

        Args:
            name: of the process, `publisher-1` or such.
            clock_offset_s: what its wall clock shows too much, seconds.
        """
        if name.startswith("publisher"):
            arguments = ["publish", name, self._url, str(self._folder), str(self._rate)]
        else:
            arguments = ["consume", name, self._url, str(self._folder), str(CLAIM_AFTER_S), "0"]
        with (self._folder / f"log-{name}").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - this project's program
                [sys.executable, "-c", _WITH_CLOCK, str(clock_offset_s), *arguments],
                cwd=PROJECT,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._starting.add(name)

    def wait_until_ready(self) -> None:
        """Wait until all started processes handle SIGTERM."""
        for name in self._starting & self._running.keys():
            stdout = self._running[name].stdout
            assert stdout is not None
            stdout.readline()
        self._starting.clear()

    def kill(self, name: str) -> str:
        """Send SIGKILL and wait until the process has ended; returns the run id that it had."""
        process = self._running.pop(name)
        process.kill()
        process.communicate()
        return f"{name}-{process.pid}"

    def pid(self, name: str) -> int:
        """Return the id of a running process."""
        return self._running[name].pid

    def finish(self, prefix: str) -> None:
        """Terminate the processes whose name starts with `prefix`, and wait for them.

        Raises:
            RuntimeError: if one of them fails; the end of its log is in the message.
        """
        self.wait_until_ready()
        names = [name for name in self._running if name.startswith(prefix)]
        for name in names:
            self._running[name].terminate()
        for name in names:
            process = self._running[name]
            process.communicate(timeout=_DRAIN_TIMEOUT_S)
            del self._running[name]
            if process.returncode:
                log = (self._folder / f"log-{name}").read_text()
                raise RuntimeError(f"{name} ended with {process.returncode}:\n{log[-2000:]}")

    def kill_all(self) -> None:
        """Kill all running processes."""
        for name in list(self._running):
            self.kill(name)


@dataclass(frozen=True, slots=True)
class ChaosOutcome:
    """Result of one run."""

    faults: dict[str, int]
    findings: Findings
    reports: dict[str, int]  # of the subscribers, by kind
    seconds: float


def run_chaos(
    folder: Path, *, faults: int, rate: float, seed: int, pause_s: float = 0.5, events: int = 0
) -> ChaosOutcome:
    """Inject faults, wait until all events are delivered, and check the stream.

    Args:
        folder: empty folder for the outboxes, logs and records of the run.
        faults: number of faults.
        rate: events per second and publisher.
        seed: seed of the schedule.
        pause_s: mean time between two faults, in seconds.
        events: it goes on without faults until so many were produced.

    Raises:
        RuntimeError: if a process fails, or the group does not acknowledge all events in time.
    """
    rng = random.Random(seed)  # noqa: S311
    injected: Counter[str] = Counter()
    began = time.monotonic()
    with _system(folder, rate, rng) as (server, injector, workers):
        workers.wait_until_ready()
        kinds = injector.faults()
        for _ in range(faults):
            time.sleep(rng.uniform(0.2, 1.8) * pause_s)
            kind = rng.choice(sorted(kinds))
            kinds[kind]()
            injected[kind] += 1
        while produced_total(folder) < events:
            time.sleep(0.5)
        workers.finish("publisher")
        _flush(server, folder)
        _wait_for_group(server)
        workers.finish("consumer")
        allowances = Allowances(injector.power_lost, injector.damaged)
        findings = check(server.url, STREAM, folder, allowances)
    findings.longest_unsynced_s = round(injector.longest_unsynced_s, 2)
    seconds = time.monotonic() - began
    return ChaosOutcome(dict(injected), findings, dict(count_reports(folder)), seconds)


@contextmanager
def _system(
    folder: Path, rate: float, rng: random.Random
) -> Iterator[tuple[RestartableRedis, FaultInjector, Workers]]:
    server = RestartableRedis(folder / "redis")
    server.start()
    server.wait_until_ready()
    append_only = AppendOnlyFiles(server.folder)
    proxy = TcpProxy(server.port)
    workers = Workers(proxy.url, folder, rate)
    try:
        for kind in ("publisher", "consumer"):
            for number in (1, 2):
                workers.start(f"{kind}-{number}")
        yield server, FaultInjector(server, proxy, workers, append_only, folder, rng), workers
    finally:
        workers.kill_all()
        proxy.close()
        append_only.close()
        server.signal(signal.SIGKILL)


def _flush(server: RestartableRedis, folder: Path) -> None:
    """Deliver what the publishers left at their end; as in `live`, they do not wait for long."""
    for outboxes in sorted(folder.glob("outbox-*")):
        with suppress(OutboxError):  # of damaged ones; the checks know which may lack events
            flush_events(server.url, redis_section(server.url), outboxes, threading.Event())


def _wait_for_group(server: RestartableRedis) -> None:
    """Wait until the group has received and acknowledged every entry of the stream."""
    deadline = time.monotonic() + _DRAIN_TIMEOUT_S
    with server.client() as client:
        while time.monotonic() < deadline:
            newest = client.xrevrange(STREAM, count=1)[0][0]
            group = next(g for g in client.xinfo_groups(STREAM) if g["name"] == GROUP.encode())
            if group["last-delivered-id"] == newest and not group["pending"]:
                return
            time.sleep(0.2)
    raise RuntimeError(f"entries unacknowledged after {_DRAIN_TIMEOUT_S:g} s: {group}")


def main(
    faults: Annotated[int, typer.Option(min=0, help="Faults to inject.")] = 100,
    events: Annotated[
        int, typer.Option(help="Events to produce at least, by both publishers.")
    ] = 0,
    rate: Annotated[float, typer.Option(help="Events per second and publisher.")] = 500.0,
    seed: Annotated[int, typer.Option(help="Seed of the schedule.")] = 0,
    pause_s: Annotated[float, typer.Option("--pause", help="Mean seconds between faults.")] = 0.5,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the results to this file.")
    ] = None,
) -> None:
    """Print faults and findings; exit with 1 if a check of the delivery failed."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        outcome = run_chaos(
            Path(folder), faults=faults, rate=rate, seed=seed, pause_s=pause_s, events=events
        )
    counts = {name: value for name, value in asdict(outcome.findings).items() if name != "origins"}
    table = Table("", "count", title=f"seed {seed}, {outcome.seconds:.0f} s")
    for name, value in (*sorted(outcome.faults.items()), ("faults in total", faults)):
        table.add_row(name, str(value))
    table.add_section()
    for name, value in counts.items():
        table.add_row(name.replace("_", " "), str(value))
    for name, value in outcome.reports.items():
        table.add_row(f"reported: {name}", str(value))
    Console().print(table)
    if json_file is not None:
        numbers = {"faults": outcome.faults, **counts, "seconds": outcome.seconds, "seed": seed}
        json_file.write_text(json.dumps(numbers, indent=1))
    if not outcome.findings.is_clean:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
