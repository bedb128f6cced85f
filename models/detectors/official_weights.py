"""Which detector weights are official: their names, where they are, what their bytes must be."""

from __future__ import annotations

import re
from pathlib import Path

from models.downloads.digests import pinned_sha256

# The release that ultralytics 8.4.190 takes its own weights from (utils/downloads.py:584).
ASSETS_URL = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
# The detectors of that release, by the same file (line 22); a name that is nearly one is a typo.
_NAMES = re.compile(
    r"yolo(v5[nsmlx]6?u|v8[nsmlx]|v9[tsmce]|v10[nsmblx]|11[nsmlx]|12[nsmlx]|26[nsmlx])\.pt"
)
_POSE_NAMES = re.compile(r"yolo(v8|11|26)[nsmlx]-pose\.pt")
# Digests of the release's files on which several projects that publish them agree. The others of
# the release are pinned by their first download.
SHA256 = {
    "yolov8n.pt": "f59b3d833e2ff32e194b5bb8e08d211dc7c5bdf144b90d2c8412c47ccfc83b36",
    "yolov8s.pt": "1f47a78bf100391c2a140b7ac73a1caae18c32779be7d310658112f7ac9aa78a",
    "yolov8m.pt": "5d4a90cdc7a21786cc59cd19778e9eafff836df9e2da32524737c7ee6efe4fe5",
    "yolov8l.pt": "64c9115303f6a25575f82200d1b22ec409fa6bd7d08d0313884fc20d919478cd",
    "yolov8x.pt": "3df4ada6b4dad6d657868f2fdf7faecfb34dcfccf3a25c4b82079064718524c8",
    "yolo11n.pt": "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1",
    "yolo11s.pt": "85a76fe86dd8afe384648546b56a7a78580c7cb7b404fc595f97969322d502d5",
    "yolo11m.pt": "d5ffc1a674953a08e11a8d21e022781b1b23a19b730afc309290bd9fb5305b95",
    "yolo11l.pt": "9ebd0e09d59811db4b1d61e2bc6730649608b1ac47f8dd01e2da6bca7c20023f",
    "yolo11x.pt": "7bc158aa95c0ebfdd87f70f01653c1131b93e92522dbe15c228bcd742e773a24",
    "yolo26n.pt": "9b09cc8bf347f0fc8a5f7657480587f25db09b34bf33b0652110fb03a8ad4fef",
    "yolo26s.pt": "646f8bc3fe0a656803d95c294f7852321748cb29d13466a1af8862e2db384a1b",
    "yolo26m.pt": "401cea9ab23ad19246ff7744859816bc599f350e93c9dd30367b6f0a0745d0b7",
    "yolo26l.pt": "9fe3c544f2b19bebad7ea41e76d7ad3d88b7c2f10d11d24430c5311f6b32db26",
    "yolo26x.pt": "9fdd44a31c504547ffb81d2c6d9e6dac3493c8eaa8b0398d3f43bae6c7003e92",
}


def is_official(weights: str) -> bool:
    """Return whether this is the name of weights of the ultralytics release, not a path."""
    return _NAMES.fullmatch(weights) is not None


def is_official_pose(weights: str) -> bool:
    """Return whether this is the name of pose weights of the ultralytics release, not a path."""
    return _POSE_NAMES.fullmatch(weights) is not None


def expected_sha256(name: str, cache_dir: Path) -> str | None:
    """Return the digest that the bytes of official weights must have.

    Args:
        name: of official weights.
        cache_dir: where downloaded weights are, with the digests that were pinned by a download.

    Returns:
        The digest; None if it is not known and the weights were never downloaded.
    """
    return SHA256.get(name) or pinned_sha256(cache_dir / name)
