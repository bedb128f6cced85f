"""Which videos a network was trained on, saved with its weights so that a leak can be seen."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """Fingerprints of the videos that the weights depend on.

    What they were before fine-tuning counts: a record contains that of the weights that a training
    run began from.
    """

    trained_on: tuple[str, ...] = ()  # sorted
    chosen_on: tuple[str, ...] = ()  # sorted; by these the epoch was chosen
    complete: bool = True  # False: the run began from weights that keep no record

    @property
    def seen(self) -> frozenset[str]:
        """All videos that had a part in the weights."""
        return frozenset(self.trained_on) | frozenset(self.chosen_on)

    def to_json(self) -> str:
        """Encode as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> TrainingRecord:
        """Read what `to_json` wrote.

        Raises:
            ValueError: if it is something else.
        """
        values = json.loads(text)
        if not isinstance(values, dict) or values.keys() != {one.name for one in fields(cls)}:
            raise ValueError(f"a training record has other fields than {text[:80]!r}")
        return cls(
            trained_on=tuple(map(str, values["trained_on"])),
            chosen_on=tuple(map(str, values["chosen_on"])),
            complete=bool(values["complete"]),
        )


def continued_record(
    start: TrainingRecord | None, trained_on: frozenset[str], chosen_on: frozenset[str]
) -> TrainingRecord:
    """Return the record of weights that were trained on from others.

    Args:
        start: record of these; None: they keep none.
        trained_on: fingerprints of the videos of the run.
        chosen_on: fingerprints of the videos by which its epoch was chosen.
    """
    before = start or TrainingRecord(complete=False)
    return TrainingRecord(
        trained_on=tuple(sorted(trained_on.union(before.trained_on))),
        chosen_on=tuple(sorted(chosen_on.union(before.chosen_on))),
        complete=before.complete,
    )
