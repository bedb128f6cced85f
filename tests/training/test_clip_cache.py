"""The cache of crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.factories import cached
from training.clip_cache import read_crops, read_index, write_index


def test_tracks_and_crops_come_back(tmp_path: Path) -> None:
    tracks = [cached(tmp_path, "walk", 10), cached(tmp_path, "stand", 200, "test")]
    write_index(tmp_path, tracks)
    assert read_index(tmp_path) == tracks
    crops = read_crops(tmp_path, tracks[1])
    assert len(crops) == len(tracks[1].pts_s)
    assert crops.dtype == np.uint8
    assert crops.min() >= 200


def test_a_missing_cache_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"python -m training\.prepare"):
        read_index(tmp_path)
