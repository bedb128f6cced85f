"""What a cached sample is known by: its file, its stretch, the geometry and the detector."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from training.crops.crop_cache import CACHE_WIDTH, JPEG_QUALITY, CutSpec
from training.labels.samples import Sample, TrackFile

FORMAT = 1  # of the cache; another one makes new entries


def entry_of(sample: Sample, spec: CutSpec, cache: Path, people: str) -> Path | None:
    """KEY.json of a sample; None if its video is not there.

    A file is known by its path, size and time of change: reading gigabytes to hash them would
    take longer than what the cache saves.

    Args:
        sample: whose people are cut.
        spec: how.
        cache: folder of the entries.
        people: identity of the detector and the tracker.
    """
    identity = file_identity(sample.path)
    if identity is None:
        return None
    box = None if sample.box is None else asdict(sample.box)
    track = file_identity(sample.box.path) if isinstance(sample.box, TrackFile) else None
    parts = {
        "format": [FORMAT, CACHE_WIDTH, JPEG_QUALITY],
        "video": identity,
        "stretch": [sample.start_s, sample.end_s],
        "box": [box, track],
        "spec": {
            "fps": spec.fps,
            "crop_size": spec.crop_size,
            "crop_margin": spec.crop_margin,
            "span_s": spec.span_s,
            "min_track_share": spec.min_track_fraction,  # the name that made the first entries
        },
        "people": people if box is None else None,
    }
    key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    return cache / f"{key[:32]}.json"


def file_identity(path: Path) -> tuple[str, int, int] | None:
    """Path, bytes and nanoseconds of the last change; of a folder, its files together."""
    try:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        stats = [file.stat() for file in files]
    except OSError:
        return None
    newest = max((stat.st_mtime_ns for stat in stats), default=0)
    return str(path.resolve()), sum(stat.st_size for stat in stats), newest
