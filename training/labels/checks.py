"""Check labels and splits before any video is read."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.labels.samples import Sample

FEW_CLIPS = 10  # of a class; fewer seldom teach anything that holds elsewhere
SHOWN = 5  # examples in one message
TWICE = "The test would be on training data: put each in one split"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    level: Literal["error", "warning"]
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"{self.problem}. {self.advice}"


def check_labels(
    samples: Sequence[Sample], labels: Sequence[str], *, multi_label: bool
) -> list[Finding]:
    """Check what labels and splits alone can show.

    Args:
        samples: with their splits.
        labels: the classes.
        multi_label: several labels may be true at the same time.
    """
    return [
        *_unknown_labels(samples, labels),
        *_several_labels(samples, multi_label=multi_label),
        *_classes(samples, labels, multi_label=multi_label),
        *check_leaks(samples),
    ]


def _unknown_labels(samples: Sequence[Sample], labels: Sequence[str]) -> Iterator[Finding]:
    unknown = [one for one in samples if not set(one.labels) <= set(labels)]
    if unknown:
        where = (f"{'|'.join(one.labels)} ({one.origin})" for one in unknown)
        yield Finding(
            "error",
            f"{len(unknown)} samples have labels that are not in data.labels: {listed(where)}",
            f"Known are {', '.join(labels)}",
        )


def _several_labels(samples: Sequence[Sample], *, multi_label: bool) -> Iterator[Finding]:
    several = [one for one in samples if len(one.labels) > 1]
    if several and not multi_label:
        yield Finding(
            "error",
            f"{len(several)} samples have several labels: {listed(one.origin for one in several)}",
            "Set data.multi_label=true, or give each one label",
        )


def _classes(
    samples: Sequence[Sample], labels: Sequence[str], *, multi_label: bool
) -> Iterator[Finding]:
    if len(labels) < 2 and not multi_label:
        yield Finding(
            "error",
            f"there is one class only: {', '.join(labels)}",
            "Add clips of something else, for instance of everyday behaviour as `nothing`",
        )
    parts = {split: [one for one in samples if one.split == split] for split in ("train", "val")}
    yield from labels_without_clips(parts["train"], labels)
    counts = _label_counts(parts["train"])
    few = [f"{label} ({counts[label]})" for label in labels if 0 < counts[label] < FEW_CLIPS]
    if few:
        yield Finding(
            "warning",
            f"classes with fewer than {FEW_CLIPS} training clips: {', '.join(few)}",
            "Expect little of them; more clips, from other places and people, help most",
        )
    if not parts["val"]:
        yield Finding(
            "warning",
            "there is no validation",
            "The last weights are kept and their quality stays unknown; "
            "data.val_share=0.2 holds some out",
        )
        return
    unseen = [label for label in labels if not _label_counts(parts["val"])[label]]
    if unseen:
        yield Finding(
            "warning",
            f"validation has no clip of {', '.join(unseen)}",
            "Their quality stays unknown; another loop.seed or more groups help",
        )


def labels_without_clips(samples: Iterable[Sample], labels: Sequence[str]) -> Iterator[Finding]:
    """Find classes without training clips."""
    counts = _label_counts(samples)
    missing = [label for label in labels if not counts[label]]
    if missing:
        yield Finding(
            "error",
            f"labels that no training clip has: {', '.join(missing)}",
            "Add clips, move some from another split, or take the label out of data.labels",
        )


def _label_counts(samples: Iterable[Sample]) -> Counter[str]:
    return Counter(label for one in samples for label in one.labels)


def check_leaks(samples: Sequence[Sample]) -> list[Finding]:
    """Find whatever is in more than one split, and stretches that occur twice."""
    groups = _in_several_splits((one.group, one.split) for one in samples if one.group is not None)
    files = _in_several_splits((str(one.path), one.split) for one in samples)
    copies = sorted(_copies(samples))
    found = [
        Finding("error", f"{what} ({len(names)}): {listed(names)}", TWICE)
        for what, names in (
            ("groups are in more than one split", groups),
            ("files are in more than one split", files),
            ("files are copies of files in another split", copies),
        )
        if names
    ]
    return [*found, *_repeated_stretches(samples)]


def _in_several_splits(placed: Iterable[tuple[str, str | None]]) -> list[str]:
    splits = defaultdict[str, set[str | None]](set)
    for name, split in placed:
        splits[name].add(split)
    return sorted(name for name, found in splits.items() if len(found) > 1)


def _copies(samples: Sequence[Sample]) -> Iterator[str]:
    """Find files with the same content under another name in another split."""
    by_size = defaultdict[int, dict[Path, str | None]](dict)
    for one in samples:
        if one.path.is_file():
            by_size[one.path.stat().st_size][one.path] = one.split
    for files in by_size.values():
        if len(set(files.values())) < 2:
            continue
        first: dict[str, Path] = {}
        for path, split in files.items():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            other = first.setdefault(content, path)
            if files[other] != split:
                yield f"{path} = {other}"


def _repeated_stretches(samples: Sequence[Sample]) -> Iterator[Finding]:
    stretches = defaultdict[object, list[Sample]](list)
    for one in samples:
        stretches[one.path, one.start_s, one.end_s, one.box].append(one)
    twice = [ours for ours in stretches.values() if len(ours) > 1]
    if twice:
        lines = (" and ".join(f"{one.origin}" for one in ours) for ours in twice)
        yield Finding(
            "error" if any(len({one.labels for one in ours}) > 1 for ours in twice) else "warning",
            f"{len(twice)} stretches of video stand there more than once: {listed(lines)}",
            "Keep one line each; several labels of one stretch go into one line: walk|point",
        )


def listed(items: Iterable[str], separator: str = ", ") -> str:
    """Join the first few items and the number of the others."""
    texts = list(items)
    more = f"{separator}and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    start = separator if separator.startswith("\n") else ""
    return start + separator.join(texts[:SHOWN]) + more
