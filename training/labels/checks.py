"""What labels and splits tell before any video is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from training.labels.findings import Finding, listed
from training.labels.leak_check import check_leaks
from training.labels.samples import Sample

FEW_CLIPS = 10  # of a class; fewer seldom teach anything that holds elsewhere


def check_labels(
    samples: Sequence[Sample], labels: Sequence[str], *, multi_label: bool
) -> list[Finding]:
    """What labels and splits alone tell.

    Args:
        samples: with their splits.
        labels: the classes.
        multi_label: several labels may be true at once.
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
            "The last weights are kept and nothing tells how good they are; "
            "data.val_share=0.2 holds some out",
        )
        return
    unseen = [label for label in labels if not _label_counts(parts["val"])[label]]
    if unseen:
        yield Finding(
            "warning",
            f"validation has no clip of {', '.join(unseen)}",
            "Nothing will tell how good they are; another loop.seed or more groups help",
        )


def labels_without_clips(samples: Iterable[Sample], labels: Sequence[str]) -> Iterator[Finding]:
    """Classes that cannot be learned."""
    counts = _label_counts(samples)
    nobody = [label for label in labels if not counts[label]]
    if nobody:
        yield Finding(
            "error",
            f"labels that no training clip has: {', '.join(nobody)}",
            "Add clips, move some from another split, or take the label out of data.labels",
        )


def _label_counts(samples: Iterable[Sample]) -> Counter[str]:
    return Counter(label for one in samples for label in one.labels)
