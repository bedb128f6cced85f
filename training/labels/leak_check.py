"""Whether what is learned is tested again: groups, files and copies in more than one split."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from training.labels.findings import Finding, listed
from training.labels.samples import Sample

TWICE = "What was learned would be tested: put each in one split"


def check_leaks(samples: Sequence[Sample]) -> list[Finding]:
    """Everything that is in more than one split, and stretches that stand there twice."""
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
    """Files with the same content under another name in another split."""
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
