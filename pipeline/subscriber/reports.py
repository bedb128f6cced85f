"""What a subscriber reports beside events: what is missing, repeated, unreadable or given up."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.events import SequenceGap


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An event that was read before; it is not delivered again."""

    origin: str  # run_id/camera_id
    seq: int
    entry_id: str

    def __str__(self) -> str:
        return f"{self.origin}: event {self.seq} is repeated in entry {self.entry_id}; skipped"


@dataclass(frozen=True, slots=True)
class BadEntry:
    """An entry that is no event of a schema that this program reads; it is skipped."""

    entry_id: str
    problem: str

    def __str__(self) -> str:
        return f"entry {self.entry_id} skipped: {self.problem}"


@dataclass(frozen=True, slots=True)
class Trimmed:
    """An entry that was delivered, and left the stream before it was acknowledged."""

    entry_id: str

    def __str__(self) -> str:
        return f"entry {self.entry_id} was not acknowledged and is no longer on the stream"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that failed too often and was moved to another stream."""

    entry_id: str
    stream: str  # where it is now
    tries: int

    def __str__(self) -> str:
        return f"entry {self.entry_id} failed {self.tries} times and was moved to {self.stream}"


@dataclass(frozen=True, slots=True)
class GroupLost:
    """The server lost the group, as after a loss of its data; it is created again."""

    group: str

    def __str__(self) -> str:
        return f"the group {self.group} was lost; it starts again with all that is on the stream"


@dataclass(frozen=True, slots=True)
class StreamReset:
    """The stream ends before the position of the reader: it was emptied, or lost its newest part.

    New entries would have ids that the reader takes for read, so it moves back.
    """

    position: str  # id of the entry after which the reader was waiting
    newest: str  # id of the newest entry that the stream has or had
    resumed_after: str  # id of the entry after which the reader continues; 0-0: the beginning

    def __str__(self) -> str:
        found = f"the stream ends at {self.newest}, before {self.position} that was read"
        if self.resumed_after == "0-0":
            return f"{found}: it was emptied or replaced; it is read again from its beginning"
        return f"{found}: the server lost its newest entries; reading continues after that one"


Report = SequenceGap | Duplicate | BadEntry | Trimmed | DeadLetter | GroupLost | StreamReset


class GapError(Exception):
    """Events are missing; raised where a subscriber was configured with `raise_on_gap`."""

    def __init__(self, gap: SequenceGap | Trimmed) -> None:
        super().__init__(str(gap))
        self.gap = gap
