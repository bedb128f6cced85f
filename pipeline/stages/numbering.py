"""The numbering stage: the sequence numbers of each camera's events, at the end of the chain.

It is the only place that gives numbers, so a camera's sequence has no gaps and no repetition,
whichever stages before it add events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import replace

from pipeline.events import Event
from pipeline.types import DecidedEnd, DecidedFrame


def number_events(
    items: Iterable[DecidedFrame | DecidedEnd],
) -> Generator[DecidedFrame | DecidedEnd, None, None]:
    """Give every event its sequence number and id, in the order of the items.

    A camera that reconnects continues its numbers.

    Args:
        items: of any number of cameras of one run; their events are unnumbered.

    Yields:
        One item per item, in order.
    """
    newest = Counter[str]()  # sequence number by origin

    def numbered(event: Event) -> Event:
        origin = event.origin
        newest[origin] += 1
        seq = newest[origin]
        return event.model_copy(update={"seq": seq, "event_id": f"{origin}/{seq}"})

    for item in items:
        yield replace(item, events=tuple(map(numbered, item.events))) if item.events else item
