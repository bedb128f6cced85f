"""Crops on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.slowfast.zoo import slowfast_compact
from tests.training.factories import SMALL, cached
from training.crops.crop_cache import (
    CutSpec,
    TrackIndex,
    encode_crop,
    read_crops,
    read_entry,
    write_index,
)
from training.labels.samples import Sample

SAMPLE = Sample(Path("a.mp4"), ("walk",))


@pytest.mark.parametrize("crop_size", [32, 111, 112, 224])
def test_the_network_s_crop_sits_in_the_centre_of_the_cached_one(crop_size: int) -> None:
    spec = CutSpec(10.0, crop_size, 0.25, 2.0, 0.6)
    assert (spec.cache_size - crop_size) % 2 == 0
    live_pixels_per_side = crop_size / (1 + 2 * 0.25)
    assert spec.cache_size / (1 + 2 * spec.cache_margin) == pytest.approx(live_pixels_per_side)


def test_the_geometry_comes_with_the_network() -> None:
    spec = CutSpec.of(slowfast_compact(2).input_spec, fps=10.0, min_track_fraction=0.6)
    assert (spec.crop_size, spec.crop_margin, spec.span_s) == (112, 0.25, 2.0)


def test_crops_come_back_in_any_order_and_more_than_once(tmp_path: Path) -> None:
    data = b""
    index = TrackIndex([], [], [])
    for level in (10, 100, 200):
        piece = encode_crop(np.full((40, 40, 3), level, np.uint8))
        index.add(level / 10, len(data), len(piece))
        data += piece
    (tmp_path / "key.jpegs").write_bytes(data)
    write_index(tmp_path / "key.json", [index], whole_frame=False)
    found = read_entry(tmp_path / "key.json", SAMPLE)
    assert found is not None
    (track,) = found
    assert track.pts_s.tolist() == [1.0, 10.0, 20.0]
    assert not track.whole_frame
    crops = read_crops(track, [2, 0, 0, 1])
    assert crops.shape == (4, 40, 40, 3)
    np.testing.assert_allclose(crops.mean(axis=(1, 2, 3)), [200, 10, 10, 100], atol=1)


def test_an_entry_without_its_frames_or_truncated_is_no_entry(tmp_path: Path) -> None:
    entry = tmp_path / "key.json"
    write_index(entry, [TrackIndex([0.0], [0], [1])], whole_frame=False)
    assert read_entry(entry, SAMPLE) is None  # no frames
    (tmp_path / "key.jpegs").write_bytes(b"x")
    assert read_entry(entry, SAMPLE) is not None
    entry.write_text(entry.read_text()[:20])
    assert read_entry(entry, SAMPLE) is None


def test_jpeg_keeps_crops_close_to_what_was_cut(tmp_path: Path) -> None:
    track = cached(tmp_path, "walk", 100)
    crops = read_crops(track, np.arange(len(track)))
    assert crops.shape == (30, SMALL.cache_size, SMALL.cache_size, 3)
    assert abs(crops.mean() - 109.5) < 2
