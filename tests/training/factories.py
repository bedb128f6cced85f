"""Made tracks of people, made cache entries and a network for small crops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from models.architectures import slowfast_compact
from models.recognizer3d import Recognizer3D
from training.clip_cache import CACHE_SIZE, CachedTrack, write_crops
from training.datasets import Split
from training.person_tracks import PersonTrack


def path_of(
    speed: float, *, count: int = 40, fps: float = 10.0, start_x: float = 0.0, height: float = 100.0
) -> PersonTrack:
    """A person who crosses the image at `speed` body heights per second."""
    x = start_x + np.arange(count) / fps * speed * height
    boxes = np.stack([x, np.full(count, 50.0), x + 40, np.full(count, 50.0 + height)], axis=1)
    return PersonTrack(np.arange(count), boxes.astype(np.float32))


def listed(
    label: str = "walk", *, dataset: str = "made", count: int = 40, fps: float = 10.0
) -> CachedTrack:
    """A track of the index whose crops nobody reads."""
    times = tuple(float(t) for t in np.arange(count) / fps)
    return CachedTrack("none.npy", times, label, dataset, f"{dataset}.mp4", "train")


def cached(cache: Path, label: str, level: int, split: Split = "train") -> CachedTrack:
    """Three seconds of crops of one grey level, with some noise."""
    rng = np.random.default_rng(level)
    shape = (30, CACHE_SIZE, CACHE_SIZE, 3)
    crops = (level + rng.integers(0, 20, shape)).astype(np.uint8)
    file = write_crops(cache, f"{label}-{level}", list(crops))
    times = tuple(float(t) for t in np.arange(30) / 10)
    return CachedTrack(file, times, label, "made", f"{label}.mp4", split)


def small_model() -> Recognizer3D:
    """An untrained compact network of two classes that takes crops of 32 pixels."""
    torch.manual_seed(0)
    model = slowfast_compact(2)
    model.input_spec = replace(model.input_spec, labels=("stand", "walk"), crop_size=32)
    return model
