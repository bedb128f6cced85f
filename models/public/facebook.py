"""Checkpoints of the model zoos of PySlowFast and pytorchvideo, whose digests are not published."""

from __future__ import annotations

from typing import Any

from models.public.entry import AVA_TERMS, KINETICS_TERMS, PublicCheckpoint

_FILES = "https://dl.fbaipublicfiles.com"
_PYSLOWFAST = "https://github.com/facebookresearch/SlowFast/blob/main/MODEL_ZOO.md"
_PYTORCHVIDEO = (
    "https://github.com/facebookresearch/pytorchvideo/blob/main/docs/source/model_zoo.md"
)


def _kinetics(
    name: str,
    path: str,
    source: str,
    *,
    architecture: str,
    top1: float,
    parameters: int,
    clip: tuple[int, int] = (32, 2),
) -> PublicCheckpoint:
    return _entry(
        name,
        path,
        source,
        data="Kinetics-400",
        data_terms=KINETICS_TERMS,
        labels="kinetics400",
        classes=400,
        architecture=architecture,
        mode="crop",
        clip_len=clip[0],
        frame_interval=clip[1],
        parameters=parameters,
        accuracy=f"top-1 {top1:.2f} % on Kinetics-400, 10 clips x 3 crops",
    )


def _ava(
    name: str, *, mean_ap: float, architecture: str, version: str, clip: tuple[int, int] = (32, 2)
) -> PublicCheckpoint:
    return _entry(
        f"pyslowfast/{name}",
        f"pyslowfast/model_zoo/ava/{name}.pkl",
        _PYSLOWFAST,
        data=f"Kinetics-600, then AVA v{version}",
        data_terms=AVA_TERMS,
        labels="ava",
        classes=80,
        architecture=architecture,
        mode="scene",
        clip_len=clip[0],
        frame_interval=clip[1],
        parameters=53,  # without its non-local blocks
        accuracy=f"mAP {mean_ap:.2f} % on AVA v{version}",
    )


def _entry(name: str, path: str, source: str, **facts: Any) -> PublicCheckpoint:
    return PublicCheckpoint(
        name=name,
        url=f"{_FILES}/{path}",
        sha256=None,
        licence="Apache-2.0",
        source=source,
        **facts,
    )


# Facts of MODEL_ZOO.md. Not listed: C2D, I3D, MViT and X3D, which are other networks; those of
# Something-Something and Charades, which were trained on another sampling of frames.
PYSLOWFAST = (
    _kinetics(
        "pyslowfast/SLOWFAST_8x8_R50",
        "pyslowfast/model_zoo/kinetics400/SLOWFAST_8x8_R50.pkl",
        _PYSLOWFAST,
        architecture="slowfast_r50_8x8",
        top1=77.0,
        parameters=35,
    ),
    _kinetics(
        "pyslowfast/SLOWFAST_4x16_R50",
        "pyslowfast/model_zoo/kinetics400/SLOWFAST_4x16_R50.pkl",
        _PYSLOWFAST,
        architecture="slowfast_r50_4x16",
        top1=75.6,
        parameters=34,
    ),
    _kinetics(
        "pyslowfast/SLOWONLY_8x8_R50",
        "pyslowfast/model_zoo/kinetics400/SLOWONLY_8x8_R50.pkl",
        _PYSLOWFAST,
        architecture="slowonly_r50_8x8",
        top1=74.8,
        parameters=32,
        clip=(8, 8),
    ),
    _kinetics(
        "pyslowfast/SLOWONLY_4x16_R50",
        "pyslowfast/model_zoo/kinetics400/SLOWONLY_4x16_R50.pkl",
        _PYSLOWFAST,
        architecture="slowonly_r50_4x16",
        top1=72.7,
        parameters=32,
        clip=(4, 16),
    ),
    _ava(
        "SLOWFAST_32x2_R101_50_50",
        mean_ap=29.1,
        architecture="slowfast_r101_8x8_ava",
        version="2.2",
    ),
    _ava(
        "SLOWFAST_64x2_R101_50_50",
        mean_ap=29.4,
        architecture="slowfast_r101_16x8_ava",
        version="2.2",
        clip=(64, 2),
    ),
    _ava(
        "SLOWFAST_32x2_R101_50_50_v2.1",
        mean_ap=28.2,
        architecture="slowfast_r101_8x8_ava",
        version="2.1",
    ),
)

# Facts of docs/source/model_zoo.md and pytorchvideo/models/hub.
PYTORCHVIDEO = (
    _kinetics(
        "pytorchvideo/slowfast_r50",
        "pytorchvideo/model_zoo/kinetics/SLOWFAST_8x8_R50.pyth",
        _PYTORCHVIDEO,
        architecture="slowfast_r50_8x8",
        top1=76.94,
        parameters=35,
    ),
    _kinetics(
        "pytorchvideo/slowfast_r101",
        "pytorchvideo/model_zoo/kinetics/SLOWFAST_8x8_R101.pyth",
        _PYTORCHVIDEO,
        architecture="slowfast_r101_8x8",
        top1=77.90,
        parameters=63,
    ),
    _kinetics(
        "pytorchvideo/slowfast_16x8_r101_50_50",
        "pytorchvideo/model_zoo/kinetics/SLOWFAST_16x8_R101_50_50.pyth",
        _PYTORCHVIDEO,
        architecture="slowfast_r101_16x8",
        top1=78.70,
        parameters=54,
        clip=(64, 2),
    ),
    _kinetics(
        "pytorchvideo/slow_r50",
        "pytorchvideo/model_zoo/kinetics/SLOW_8x8_R50.pyth",
        _PYTORCHVIDEO,
        architecture="slowonly_r50_8x8",
        top1=74.58,
        parameters=32,
        clip=(8, 8),
    ),
)
