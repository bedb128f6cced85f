"""Choose the pose network by the name or path of its weights."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from models.cache_folder import cache_folder
from models.detectors.official_weights import ASSETS_URL, is_official_pose
from models.detectors.weights_download import find_or_fetch_weights
from models.pose.blazepose import BlazePoseEstimator
from models.pose.blazepose_download import NPM_REGISTRY, SHA256, find_or_fetch_blazepose
from models.pose.yolo_pose import YoloPoseEstimator

log = logging.getLogger(__name__)


def build_pose_estimator(
    weights: str,
    *,
    image_size: int,
    device: str,
    decide_s: float,
    limit_s: float,
    directories: Iterable[Path] = (),
    cache_dir: Path | None = None,
    registry: str = NPM_REGISTRY,
    base_url: str = ASSETS_URL,
) -> YoloPoseEstimator | BlazePoseEstimator:
    """Build the configured pose network.

    Args:
        weights: a name of BlazePose (`blazepose_lite`, ...), the name of official ultralytics
            pose weights, or a path: .tflite is BlazePose, everything else ultralytics.
        image_size: longer side of the input in pixels (ultralytics).
        device: "cpu" or "cuda:N", for .pt weights; BlazePose always runs on the CPU.
        decide_s: seconds within which a download must begin.
        limit_s: seconds that it may take.
        directories: searched for the weights, after the current directory.
        cache_dir: of downloaded weights; None: ~/.cache/behaviour-stream.
        registry: npm registry of BlazePose, without a slash at the end.
        base_url: of official ultralytics weights, without a slash at the end.

    Raises:
        FileNotFoundError: if there is no such path and it is no known name.
        ValueError: if the weights cannot be fetched or loaded, or are no pose network.
    """
    cache_dir = cache_dir or cache_folder()
    if weights in SHA256:
        return BlazePoseEstimator(
            find_or_fetch_blazepose(
                weights,
                cache_dir=cache_dir,
                registry=registry,
                decide_s=decide_s,
                limit_s=limit_s,
            )
        )
    directories = list(directories)
    there = any((folder / weights).exists() for folder in (Path(), *directories))
    if not there and not is_official_pose(weights):
        raise FileNotFoundError(
            f"no pose weights at {weights}; names are {', '.join(SHA256)}, yolo11n-pose.pt and "
            "other pose weights of ultralytics"
        )
    found = find_or_fetch_weights(
        weights,
        directories=directories,
        cache_dir=cache_dir,
        decide_s=decide_s,
        limit_s=limit_s,
        base_url=base_url,
        is_known=is_official_pose,
    )
    if found is None:
        raise ValueError(
            f"{weights} is not here and cannot be fetched: run once with a network, save "
            f"{base_url}/{weights} in {cache_dir}, or choose one of {', '.join(SHA256)}"
        )
    if found.suffix == ".tflite":
        return BlazePoseEstimator(found)
    return YoloPoseEstimator(found, image_size=image_size, device=device)
