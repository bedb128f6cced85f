"""Events through outages: a real redis-server, real processes, kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.chaos import RestartableRedis, run_chaos
from benchmarks.chaos_check import check, check_trimmed
from benchmarks.chaos_processes import GROUP, STREAM
from benchmarks.chaos_records import produced_total
from pipeline.delivery.stream_writer import EventStream, Trimming
from pipeline.events import Event
from pipeline.subscriber import EventFilter, Subscriber
from tests.conftest import REPOSITORY
from tests.pipeline.decided_items import make_event, stored

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, str(REPOSITORY / "run_pipeline.py"), "--log-level", "warning"]


@contextmanager
def running(folder: Path, *settings: str) -> Iterator[RestartableRedis]:
    server = RestartableRedis(folder / "redis", *settings)
    server.start()
    server.client().close()
    try:
        yield server
    finally:
        server.signal(signal.SIGKILL)


@contextmanager
def worker(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of the chaos run, from when it is ready until it was killed or ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.chaos_processes", *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def ended(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=60)


def test_whatever_is_killed_frozen_or_cut_every_event_arrives_once(tmp_path: Path) -> None:
    outcome = run_chaos(tmp_path, faults=10, rate=200.0, seed=1, pause_s=0.3)
    assert outcome.findings.produced > 100
    assert outcome.findings.is_clean, outcome
    assert "SequenceGap" not in outcome.reports


def test_every_gap_that_trimming_made_is_reported_to_the_group(tmp_path: Path) -> None:
    with (
        running(tmp_path, "--stream-node-max-entries", "10") as server,
        server.client() as client,
        worker("consume", "slow", server.url, str(tmp_path), "60", "0.01"),
        worker("publish", "p", server.url, str(tmp_path), "1000", "100") as publisher,
    ):
        until(lambda: produced_total(tmp_path) > 400)
        assert ended(publisher) == 0
        newest = client.xrevrange(STREAM, count=1)[0][0]
        until(lambda: client.xinfo_groups(STREAM)[0]["last-delivered-id"] == newest)
        until(lambda: not client.xinfo_groups(STREAM)[0]["pending"])
    found = check_trimmed(tmp_path)
    assert found.gaps_reported > 0
    assert found.gaps_wrong == 0
    assert found.consumed + found.gaps_reported == found.produced


def test_what_a_killed_run_left_is_flushed_with_ends_for_what_was_open(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        with worker("publish", "p", server.url, str(tmp_path), "500") as publisher:
            until(lambda: produced_total(tmp_path) > 20)
            server.signal(signal.SIGKILL)  # from here on it spools
            before = produced_total(tmp_path)
            until(lambda: produced_total(tmp_path) > before + 20)
            publisher.kill()
        output = tmp_path / "output"
        output.mkdir()
        (tmp_path / "outbox-p").rename(output / "outbox")
        server.start()
        server.client().close()
        options = [
            "--output",
            str(output),
            "--redis",
            server.url,
            "--set",
            f"redis.stream={STREAM}",
        ]
        done = subprocess.run(
            [*PROGRAM, "flush", *options], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "events of" in done.stderr
        assert list((output / "outbox").iterdir()) == []
        with Subscriber(server.url, stream=STREAM, start="0", to_end_only=True) as reader:
            ends = [event for event in reader if event.kind == "end"]
        assert {ends[-1].end_reason} == {"interrupted"}  # type: ignore[union-attr]
        (tmp_path / "consumed-all").write_text("")
        found = check(server.url, STREAM, tmp_path)
        assert (found.lost, found.duplicated, found.out_of_order, found.not_ended) == (0, 0, 0, 0)


def test_without_a_server_a_flush_keeps_everything_and_reports_it(tmp_path: Path) -> None:
    with worker("publish", "p", "redis://127.0.0.1:1/0", str(tmp_path), "500") as publisher:
        until(lambda: produced_total(tmp_path) > 10)
        publisher.kill()
    output = tmp_path / "output"
    output.mkdir()
    (tmp_path / "outbox-p").rename(output / "outbox")
    options = ["--output", str(output), "--redis", "redis://u:s3cret@127.0.0.1:1/0"]
    done = subprocess.run(
        [*PROGRAM, "flush", *options, "--set", "redis.wait_s=0.3"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr
    assert "s3cret" not in done.stderr
    assert len(list((output / "outbox").glob("*.outbox"))) == 1


@contextmanager
def subscribing(server: RestartableRedis, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a user runs it in a second terminal."""
    arguments = ["subscribe", "--redis", server.url, "--set", f"redis.stream={STREAM}"]
    arguments += ["--group", GROUP, "--consumer", "bell", "--from", "0", "--json"]
    with out.open("ab") as target:
        process = subprocess.Popen([*PROGRAM, *arguments], stdout=target)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def alarms(out: Path) -> list[int]:
    lines = out.read_text().splitlines() if out.exists() else []
    return [json.loads(line)["seq"] for line in lines]


def publish(server: RestartableRedis, *seqs: int) -> None:
    with EventStream(server.url, stream=STREAM, trimming=Trimming(10_000)) as stream:
        stream.append([stored(make_event(seq)) for seq in seqs])


def test_a_terminal_with_alarms_survives_a_restart_of_redis_and_of_itself(tmp_path: Path) -> None:
    out = tmp_path / "alarms.jsonl"
    with running(tmp_path) as server:
        with subscribing(server, out) as terminal:
            publish(server, 1, 2, 3)
            until(lambda: alarms(out) == [1, 2, 3])
            server.signal(signal.SIGTERM)
            server.wait()
            time.sleep(0.5)
            server.start()
            server.client().close()
            publish(server, 4, 5)
            until(lambda: alarms(out) == [1, 2, 3, 4, 5])
            terminal.send_signal(signal.SIGINT)
            assert terminal.wait(timeout=30) == 0
        publish(server, 6, 7)
        with subscribing(server, out):
            until(lambda: len(alarms(out)) >= 7)
            publish(server, 8)
            until(lambda: len(alarms(out)) >= 8)
    assert alarms(out) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_program_per_event_is_tried_again_until_it_succeeds(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = tmp_path / "bell.py"
    script.write_text(
        "import json, pathlib, sys\n"
        f"log = pathlib.Path({str(log)!r})\n"
        "event = json.load(sys.stdin)\n"
        "tried = log.read_text().count(f\"{event['seq']};\") if log.exists() else 0\n"
        "log.open('a').write(f\"{event['seq']};\\n\")\n"
        "sys.exit(event['seq'] == 2 and tried == 0)\n"
    )
    with running(tmp_path) as server:
        publish(server, 1, 2, 3)
        arguments = ["subscribe", "--redis", server.url, "--set", f"redis.stream={STREAM}"]
        arguments += ["--group", GROUP, "--from", "0", "--count", "3"]
        program = f"{sys.executable} {script}"
        done = subprocess.run(
            [*PROGRAM, *arguments, "--exec", program], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
    assert log.read_text().split() == ["1;", "2;", "3;", "2;"]


def test_a_program_of_a_user_gets_the_events_through_a_kill_of_its_consumer(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as server:
        publish(server, *range(1, 41))
        consumer = ["consume", "first", server.url, str(tmp_path), "0.5", "0.01"]
        with worker(*consumer) as first:
            until(lambda: (tmp_path / "consumed-first").read_text().count("\n") >= 5)
            os.kill(first.pid, signal.SIGKILL)
        seen: list[Event] = []
        with Subscriber(
            server.url,
            stream=STREAM,
            group=GROUP,
            wanted=EventFilter(),
            claim_after_s=0.5,
            block_s=0.1,
        ) as second:
            for event in second:
                seen.append(event)
                if event.seq == 40:
                    second.stop()
            lines = (tmp_path / "consumed-first").read_text().splitlines()
            done = {int(line.split()[1]) for line in lines}
            late = time.monotonic() + 20
            while done | {event.seq for event in seen} != set(range(1, 41)):
                assert time.monotonic() < late
                second._stop.clear()
                for event in second:
                    seen.append(event)
                    second.stop()
    again = [event.seq for event in seen if event.seq in done]
    assert len(again) <= 1  # the one that was in hand
