"""What is wrong with the data, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

SHOWN = 5  # examples in one message


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    level: Literal["error", "warning"]
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"{self.problem}. {self.advice}"


def listed(items: Iterable[str], separator: str = ", ") -> str:
    """The first few, and how many there are beside them."""
    texts = list(items)
    more = f"{separator}and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    start = separator if separator.startswith("\n") else ""
    return start + separator.join(texts[:SHOWN]) + more
