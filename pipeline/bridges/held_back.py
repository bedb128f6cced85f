"""What a limit held back, counted for the next message."""

from __future__ import annotations

from collections import Counter

_NAMED = 5  # kinds of events in a summary; the others are a number


class HeldBack:
    """Counts events that were not sent, by what they are about."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._counts.total()

    def add(self, what: str, why: str) -> None:
        """Count an event.

        Args:
            what: it is about, such as `fight at gate`; without control characters.
            why: it was held back, such as `quiet hours`.
        """
        self._counts[what] += 1
        self._reasons[why] += 1

    def clear(self) -> None:
        """Forget all: they were reported."""
        self._counts.clear()
        self._reasons.clear()

    def summary(self) -> str:
        """Return a line: `held back (quiet hours): 12: fight at gate 9, loitering at yard 3`."""
        named = self._counts.most_common(_NAMED)
        parts = [f"{what} {count}" for what, count in named]
        if others := len(self) - sum(count for _, count in named):
            parts.append(f"others {others}")
        return f"held back ({', '.join(self._reasons)}): {len(self)}: {', '.join(parts)}"
