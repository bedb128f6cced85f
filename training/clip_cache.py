"""Person crops on disk: decoded, detected and cut once, read by every epoch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.datasets import Split

# The network's crop is the middle 112 of these 144 pixels, so that training may shift and scale
# it as a detector's boxes shift and scale. Both have the same pixels per body height.
CACHE_SIZE = 144
CROP_SIZE = 112
CROP_MARGIN = 0.25
CACHE_MARGIN = ((1 + 2 * CROP_MARGIN) * CACHE_SIZE / CROP_SIZE - 1) / 2


@dataclass(frozen=True, slots=True)
class CachedTrack:
    """One person doing one thing."""

    crops: str  # file name in the cache: uint8 (N, CACHE_SIZE, CACHE_SIZE, 3) BGR
    pts_s: tuple[float, ...]  # of the N crops
    label: str
    dataset: str
    video: str  # file name of the video
    split: Split


def write_crops(cache: Path, name: str, crops: Sequence[NDArray[np.uint8]]) -> str:
    """Store the crops of one track; returns the file's name in the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    np.save(cache / f"{name}.npy", np.stack(crops))
    return f"{name}.npy"


def write_index(cache: Path, tracks: Sequence[CachedTrack]) -> None:
    """List the tracks of the cache, one JSON object a line."""
    lines = "".join(json.dumps(asdict(track)) + "\n" for track in tracks)
    (cache / "index.jsonl").write_text(lines)


def read_index(cache: Path) -> list[CachedTrack]:
    """The tracks of the cache, in the order in which they were cut.

    Raises:
        FileNotFoundError: saying how to make the cache.
    """
    path = cache / "index.jsonl"
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; make it with: python -m training.prepare")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [CachedTrack(**row | {"pts_s": tuple(row["pts_s"])}) for row in rows]


def read_crops(cache: Path, track: CachedTrack) -> NDArray[np.uint8]:
    """uint8 (N, CACHE_SIZE, CACHE_SIZE, 3) BGR, mapped from disk."""
    crops: NDArray[np.uint8] = np.load(cache / track.crops, mmap_mode="r")
    return crops
