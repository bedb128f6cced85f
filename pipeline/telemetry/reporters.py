"""Interfaces of what reports its state to a live run's counters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class PublisherState(Protocol):
    """What the publisher of the events reports of Redis."""

    last_error: str | None  # why Redis takes no events, without credentials; None while it does

    @property
    def waiting(self) -> int:
        """Count the events that Redis has not received yet."""
        ...


class DiskState(Protocol):
    """What a writer of events to a disk reports."""

    @property
    def disk_error(self) -> str | None:
        """Why the disk takes no events now; None while it does."""
        ...


class EvidenceState(Protocol):
    """What the writer of snapshots and clips reports."""

    @property
    def written(self) -> Mapping[str, int]:
        """Files by kind that were written."""
        ...

    @property
    def missing(self) -> Mapping[str, int]:
        """Files by kind that could not be written."""
        ...

    @property
    def error(self) -> str | None:
        """Why one cannot be written now; None while all can."""
        ...
