"""Measure the throughput and latency of event delivery against bare Redis commands.

    python -m benchmarks.events [--count 20000] [--json FILE]

All run against one real redis-server with an append-only file on this machine. Throughput to the
stream: the outbox and its publisher, against one XADD call per event. Throughput to a subscriber:
one consumer of a group that acknowledges each event, against a bare XREAD. Latency: from writing an
event to the outbox until a blocking reader of the stream receives it, at several rates, against a
bare XADD.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import redis
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.chaos_processes import CameraScript
from pipeline.delivery.publisher import Publisher
from pipeline.delivery.storage.outbox import Outbox
from pipeline.delivery.stream_writer import EventStream, Trimming
from pipeline.event_filter import KINDS, EventFilter
from pipeline.events import Event, encode_event
from pipeline.redis_store.connection import connect
from pipeline.redis_store.embedded_redis import embedded_redis
from pipeline.subscriber import Subscriber

STREAM, BARE = "bench:events", "bench:bare"
RATES = (1.0, 100.0, 1000.0)
MAXLEN = 1_000_000

Send = Callable[[Event], object]


def events_of(run_id: str, count: int) -> list[Event]:
    """Return the first `count` scripted events of one camera."""
    camera = CameraScript(run_id, "gate")
    return [camera.next_event() for _ in range(count)]


@contextmanager
def outbox_sender(url: str, folder: Path, run_id: str) -> Iterator[tuple[Send, Publisher]]:
    """Provide a call that appends an event to an outbox, and the publisher of that outbox."""
    with (
        EventStream(url, stream=STREAM, trimming=Trimming(MAXLEN)) as stream,
        Outbox(folder / f"{run_id}.outbox") as outbox,
    ):
        publisher = Publisher([outbox], stream)
        publisher.start()

        def send(event: Event) -> None:
            outbox.append([event])
            publisher.wake()

        try:
            yield send, publisher
        finally:
            publisher.stop()


def bare_sender(client: redis.Redis) -> Send:
    """Return a call that sends an event by one synchronous XADD."""
    return lambda event: client.xadd(BARE, {"event": encode_event(event)}, maxlen=MAXLEN)


def rate_to_stream(url: str, folder: Path, count: int, run_id: str) -> float:
    """Return the events per second from the outbox to the stream.

    Raises:
        RuntimeError: if the outbox is not empty after 600 s.
    """
    events = events_of(run_id, count)
    with outbox_sender(url, folder, run_id) as (send, publisher):
        started = time.perf_counter()
        for event in events:
            send(event)
        if publisher.drain(600.0):
            raise RuntimeError("the server did not accept all events")
        return count / (time.perf_counter() - started)


def bare_rate(client: redis.Redis, count: int, run_id: str) -> float:
    """Return the events per second of one synchronous XADD per event."""
    send, events = bare_sender(client), events_of(run_id, count)
    started = time.perf_counter()
    for event in events:
        send(event)
    return count / (time.perf_counter() - started)


def rate_to_subscriber(url: str, count: int, group: str) -> float:
    """Return the events per second that one consumer of a group receives and acknowledges."""
    with Subscriber(
        url, stream=STREAM, group=group, start="0", wanted=EventFilter(kinds=KINDS), block_s=0.1
    ) as subscriber:
        started = time.perf_counter()
        subscriber.handle(lambda event: None, count=count)
        return count / (time.perf_counter() - started)


def bare_reading_rate(client: redis.Redis, count: int) -> float:
    """Return the entries per second of XREAD, 100 entries per call, undecoded."""
    position, read = "0", 0
    started = time.perf_counter()
    while read < count:
        reply: Any = client.xread({STREAM: position}, count=100)
        read += len(reply[0][1])
        position = reply[0][1][-1][0]
    return count / (time.perf_counter() - started)


def latencies(
    url: str, stream: str, send: Send, events: Sequence[Event], rate: float
) -> NDArray[np.float64]:
    """Send events at a rate per second; return the milliseconds until a reader receives each."""
    received_at: list[float] = []
    ready = threading.Event()

    def read() -> None:
        with closing(connect(url, socket_timeout_s=60.0, retries=0)) as client:
            newest = client.xrevrange(stream, count=1)
            position = newest[0][0] if newest else "0"
            ready.set()
            while len(received_at) < len(events):
                entries = client.xread({stream: position}, block=50_000)[0][1]
                position = entries[-1][0]
                received_at.extend([time.perf_counter()] * len(entries))

    reader = threading.Thread(target=read)
    reader.start()
    ready.wait()
    sent_at = []
    began = time.perf_counter() + 0.2
    for index, event in enumerate(events):
        time.sleep(max(0.0, began + index / rate - time.perf_counter()))
        sent_at.append(time.perf_counter())
        send(event)
    reader.join()
    latency_s: NDArray[np.float64] = np.subtract(received_at, sent_at)
    return 1e3 * latency_s


def main(
    count: Annotated[
        int, typer.Option(min=100, help="Events per throughput measurement.")
    ] = 20_000,
    rounds: Annotated[int, typer.Option(min=1, help="Throughput measurements.")] = 3,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the results to this file.")
    ] = None,
) -> None:
    """Print the throughput and latency of delivery and of bare Redis commands."""
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="events-") as name, embedded_redis(Path(name)) as url:
        folder = Path(name)
        client = redis.Redis.from_url(url, protocol=2)
        rates: dict[str, list[float]] = {
            key: [] for key in ("outbox to stream", "bare XADD", "to a subscriber", "bare XREAD")
        }
        for turn in range(rounds):
            rates["outbox to stream"].append(rate_to_stream(url, folder, count, f"rate-{turn}"))
            rates["bare XADD"].append(bare_rate(client, count, f"bare-{turn}"))
            rates["to a subscriber"].append(rate_to_subscriber(url, count, f"group-{turn}"))
            rates["bare XREAD"].append(bare_reading_rate(client, count))
        results["per_second"] = {key: statistics.median(values) for key, values in rates.items()}
        results["latency_ms"] = list(measure_latency(url, folder, client))
        client.close()
    out = Console()
    table = Table("", "events per second", title=f"{count} events, median of {rounds}")
    for key, value in results["per_second"].items():
        table.add_row(key, f"{value:,.0f}")
    out.print(table)
    table = Table("events per second", "method", "median ms", "p99 ms")
    for row in results["latency_ms"]:
        table.add_row(
            f"{row['rate']:g}", row["method"], f"{row['median']:.1f}", f"{row['p99']:.1f}"
        )
    out.print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=1))


def measure_latency(url: str, folder: Path, client: redis.Redis) -> Iterator[dict[str, Any]]:
    """Measure both methods in turn at each rate; yield one result per method and rate."""
    for rate in RATES:
        count = max(20, int(min(10 * rate, 3000)))
        with outbox_sender(url, folder, f"late-{rate:g}") as (send, _):
            delivered = latencies(url, STREAM, send, events_of(f"late-{rate:g}", count), rate)
        bare = latencies(url, BARE, bare_sender(client), events_of(f"b-{rate:g}", count), rate)
        for method, values in (("outbox", delivered), ("bare XADD", bare)):
            yield {
                "rate": rate,
                "method": method,
                "median": float(np.median(values)),
                "p99": float(np.percentile(values, 99)),
            }


if __name__ == "__main__":
    typer.run(main)
