"""What a subscriber has to say beside events: what is missing, doubled, unreadable or given up."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.events import SequenceGap


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An event that was here before; it is not delivered again."""

    origin: str
    seq: int
    entry_id: str

    def __str__(self) -> str:
        return f"{self.origin}: event {self.seq} came twice (entry {self.entry_id}) and is left out"


@dataclass(frozen=True, slots=True)
class BadEntry:
    """An entry that is no event of a schema that this program reads; the next ones go on."""

    entry_id: str
    problem: str

    def __str__(self) -> str:
        return f"entry {self.entry_id} skipped: {self.problem}"


@dataclass(frozen=True, slots=True)
class Trimmed:
    """An entry that was given out, and left the stream before it was dealt with."""

    entry_id: str

    def __str__(self) -> str:
        return f"entry {self.entry_id} was given out and is no longer on the stream"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was tried too often and put aside."""

    entry_id: str
    stream: str  # where it is now
    tries: int

    def __str__(self) -> str:
        return f"entry {self.entry_id} failed {self.tries} times and is put aside on {self.stream}"


@dataclass(frozen=True, slots=True)
class GroupLost:
    """The server forgot the group, as after a loss of its data; it is made again from the start."""

    group: str

    def __str__(self) -> str:
        return f"the group {self.group} was gone; it begins anew with all that is on the stream"


Report = SequenceGap | Duplicate | BadEntry | Trimmed | DeadLetter | GroupLost


class GapError(Exception):
    """Raised for a gap where a subscriber asked for that."""

    def __init__(self, gap: SequenceGap | Trimmed) -> None:
        super().__init__(str(gap))
        self.gap = gap
