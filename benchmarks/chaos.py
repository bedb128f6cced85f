"""Kill, freeze and cut whatever carries events, for minutes, and count what was lost.

    python -m benchmarks.chaos [--faults 100] [--rate 1000] [--seed 0] [--json FILE]

A real redis-server with an append-only file, behind a TCP proxy; two processes that publish, two
consumers of one group. A seeded schedule kills (-9) server, publishers and consumers, freezes the
server, cuts and delays connections and loses replies. In the end every event that was decided must
be on the stream exactly once and in order, and dealt with by the group at least once.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import redis
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.chaos_check import Findings, check, reports
from benchmarks.chaos_processes import GROUP, STREAM
from pipeline.config.shipped_files import PROJECT
from pipeline.redis_store.redis_server import find_redis_server, free_port
from testbed.tcp_proxy import TcpProxy

CLAIM_AFTER_S = 3.0
_PATIENCE_S = 600.0  # for what is left when the faults are over


class Server:
    """A redis-server that is killed and comes back on the same port with the same file."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self._folder, self._settings = folder, settings
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    @property
    def url(self) -> str:
        """Without the proxy."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start; it loads its file while clients try already."""
        options = f"--port {self.port} --bind 127.0.0.1 --appendonly yes --appendfsync everysec"
        arguments = [*options.split(), "--save", "", *self._settings]
        self._process = subprocess.Popen(  # noqa: S603 - fixed arguments
            [str(find_redis_server()), *arguments], cwd=self._folder, stdout=subprocess.DEVNULL
        )

    def signal(self, number: int) -> None:
        """Send a signal; a kill waits for the end."""
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()

    def wait(self) -> None:
        """Until it has ended."""
        assert self._process is not None
        self._process.wait()

    def client(self) -> redis.Redis:
        """Connected to it when it answers."""
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
    """The publishers and consumers, by name."""

    def __init__(self, url: str, folder: Path, rate: float) -> None:
        self._url, self._folder, self._rate = url, folder, rate
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._starting: set[str] = set()

    def start(self, name: str) -> None:
        """One process; a publisher takes over what its last life left."""
        if name.startswith("publisher"):
            arguments = ["publish", name, self._url, str(self._folder), str(self._rate)]
        else:
            arguments = ["consume", name, self._url, str(self._folder), str(CLAIM_AFTER_S), "0"]
        with (self._folder / f"log-{name}").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-m", "benchmarks.chaos_processes", *arguments],
                cwd=PROJECT,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._starting.add(name)

    def wait_until_ready(self) -> None:
        """Until all of them know what SIGTERM means."""
        for name in self._starting & self._running.keys():
            stdout = self._running[name].stdout
            assert stdout is not None
            stdout.readline()
        self._starting.clear()

    def kill(self, name: str) -> None:
        """As the kernel would when memory is out."""
        process = self._running.pop(name)
        process.kill()
        process.communicate()

    def finish(self, prefix: str) -> None:
        """Ask those of a kind to end in order, and wait."""
        self.wait_until_ready()
        chosen = [name for name in self._running if name.startswith(prefix)]
        for name in chosen:
            self._running[name].terminate()
        for name in chosen:
            process = self._running[name]
            process.communicate(timeout=_PATIENCE_S)
            del self._running[name]
            if process.returncode:
                log = (self._folder / f"log-{name}").read_text()
                raise RuntimeError(f"{name} ended with {process.returncode}:\n{log[-2000:]}")

    def kill_all(self) -> None:
        """Whatever still runs."""
        for name in list(self._running):
            self.kill(name)


@dataclass(slots=True)
class Chaos:
    """The faults, by name."""

    server: Server
    proxy: TcpProxy
    workers: Workers
    random: random.Random

    def faults(self) -> dict[str, Callable[[], None]]:
        """Each returns when what it broke has been put together again."""
        return {
            "server killed": self._kill_server,
            "server frozen": self._freeze_server,
            "connections cut": self.proxy.cut,
            "connections refused": self._refuse,
            "replies lost": self._lose_replies,
            "network delayed": self._delay,
            "publisher killed": lambda: self._kill_worker("publisher"),
            "consumer killed": lambda: self._kill_worker("consumer"),
        }

    def _kill_server(self) -> None:
        self.server.signal(signal.SIGKILL)
        time.sleep(self.random.uniform(0.0, 0.5))
        self.server.start()
        self.server.client().close()

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

    def _kill_worker(self, kind: str) -> None:
        name = f"{kind}-{self.random.randint(1, 2)}"
        self.workers.kill(name)
        time.sleep(self.random.uniform(0.0, 0.2))
        self.workers.start(name)


@dataclass(frozen=True, slots=True)
class ChaosOutcome:
    """Of one run."""

    faults: dict[str, int]
    findings: Findings
    reports: dict[str, int]
    seconds: float


def run_chaos(
    folder: Path, *, faults: int, rate: float, seed: int, pause_s: float = 0.5
) -> ChaosOutcome:
    """Break things `faults` times, about every `pause_s`, then wait for the rest and look.

    Args:
        folder: empty; everything is kept there.
        faults: how many.
        rate: events per second and publisher.
        seed: of the schedule.
        pause_s: mean time between two faults.
    """
    rng = random.Random(seed)  # noqa: S311
    injected: Counter[str] = Counter()
    began = time.monotonic()
    with _system(folder, rate) as (server, proxy, workers):
        workers.wait_until_ready()
        kinds = Chaos(server, proxy, workers, rng).faults()
        for _ in range(faults):
            time.sleep(rng.uniform(0.2, 1.8) * pause_s)
            kind = rng.choice(sorted(kinds))
            kinds[kind]()
            injected[kind] += 1
        workers.finish("publisher")
        _wait_for_group(server)
        workers.finish("consumer")
        findings = check(server.url, STREAM, folder)
    seconds = time.monotonic() - began
    return ChaosOutcome(dict(injected), findings, dict(reports(folder)), seconds)


@contextmanager
def _system(folder: Path, rate: float) -> Iterator[tuple[Server, TcpProxy, Workers]]:
    server = Server(folder / "redis")
    server.start()
    server.client().close()
    proxy = TcpProxy(server.port)
    workers = Workers(proxy.url, folder, rate)
    try:
        for kind in ("publisher", "consumer"):
            for number in (1, 2):
                workers.start(f"{kind}-{number}")
        yield server, proxy, workers
    finally:
        workers.kill_all()
        proxy.close()
        server.signal(signal.SIGKILL)


def _wait_for_group(server: Server) -> None:
    """Until everything on the stream was given out and answered."""
    deadline = time.monotonic() + _PATIENCE_S
    with server.client() as client:
        while time.monotonic() < deadline:
            newest = client.xrevrange(STREAM, count=1)[0][0]
            group = next(g for g in client.xinfo_groups(STREAM) if g["name"] == GROUP.encode())
            if group["last-delivered-id"] == newest and not group["pending"]:
                return
            time.sleep(0.2)
    raise RuntimeError(f"after {_PATIENCE_S:g} s the group has not dealt with everything: {group}")


def main(
    faults: Annotated[int, typer.Option(min=1)] = 100,
    rate: Annotated[float, typer.Option(help="Events per second and publisher.")] = 500.0,
    seed: Annotated[int, typer.Option()] = 0,
    pause_s: Annotated[float, typer.Option("--pause", help="Mean seconds between faults.")] = 0.5,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the numbers.")] = None,
) -> None:
    """Print faults and findings; the exit code is 1 if anything was lost or doubled."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        outcome = run_chaos(Path(folder), faults=faults, rate=rate, seed=seed, pause_s=pause_s)
    counts = {name: value for name, value in asdict(outcome.findings).items() if name != "origins"}
    table = Table("", "count", title=f"seed {seed}, {outcome.seconds:.0f} s")
    for name, value in (*sorted(outcome.faults.items()), ("faults in all", faults)):
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
