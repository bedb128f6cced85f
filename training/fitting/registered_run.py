"""What a training run used its data for, as entries of the register."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from models.checkpoints.weight_files import content_identity
from training.fitting.run_report import RunReport
from training.labels.fingerprints import fingerprints_of
from training.labels.samples import Sample, Split
from training.labels.splits import unit_of
from training.register import Purpose, RegisterEntry, now_utc

PURPOSES: dict[Split, Purpose] = {
    "train": "trained on",
    "val": "chose the epoch",
    "test": "looked at",
}


@dataclass(frozen=True, slots=True)
class RunOrigin:
    """Where a model comes from."""

    data: tuple[Path, ...]
    model: Path  # its finished file
    command: str  # as it was typed


def run_entries(
    origin: RunOrigin, samples: Iterable[Sample], report: RunReport
) -> list[RegisterEntry]:
    """Return an entry per split that was used.

    Args:
        origin: of the model.
        samples: that were used.
        report: of the finished run, with the numbers of what was held out.
    """
    weights, samples = content_identity(origin.model), list(samples)
    numbers = {one.split: one.validation for one in report.splits}
    entries = []
    for split, purpose in PURPOSES.items():
        ours = [sample for sample in samples if sample.split == split]
        if not ours:
            continue
        found = numbers.get(split)
        accuracy = None if found is None else found.top1
        entries.append(
            RegisterEntry(
                at=now_utc(),
                purpose=purpose,
                data=", ".join(map(str, origin.data)),
                split=split,
                clips=len(ours),
                groups=len({unit_of(one) for one in ours}),
                model=str(origin.model),
                weights=weights,
                numbers={} if accuracy is None else {"top1": round(accuracy, 4)},
                command=origin.command,
                videos=tuple(sorted(fingerprints_of(ours))),
            )
        )
    return entries
