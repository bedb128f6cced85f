"""Checkpoints of mmaction2's model zoo; their file names end with the digits of their SHA-256."""

from __future__ import annotations

from typing import Any

from models.public.entry import AVA_TERMS, KINETICS_TERMS, PublicCheckpoint

_FILES = "https://download.openmmlab.com/mmaction/v1.0"
_PAGES = "https://github.com/open-mmlab/mmaction2/tree/main/configs"
_SLOWFAST, _SLOWONLY = "recognition/slowfast", "recognition/slowonly"
_AVA_SLOWFAST, _AVA_SLOWONLY = "detection/slowfast", "detection/slowonly"


def _entry(
    name: str, folder: str, config: str, stamp: str, *, file: str = "", **facts: Any
) -> PublicCheckpoint:
    """Complete a row.

    Args:
        name: ours.
        folder: of the zoo.
        config: their name of the configuration.
        stamp: date and first eight digits, as in the file's name.
        file: the beginning of the file's name where it is not the configuration's.
        facts: the other fields.
    """
    return PublicCheckpoint(
        name=f"mmaction2/{name}",
        url=f"{_FILES}/{folder}/{config}/{file or config}_{stamp}.pth",
        sha256=stamp.rpartition("-")[2],
        licence="Apache-2.0",
        source=f"{_PAGES}/{folder}",
        **facts,
    )


def _kinetics(
    name: str,
    folder: str,
    config: str,
    stamp: str,
    *,
    top1: float,
    clip: tuple[int, int],
    parameters: int,
    classes: int = 400,
    file: str = "",
) -> PublicCheckpoint:
    return _entry(
        name,
        folder,
        config,
        stamp,
        file=file,
        data=f"Kinetics-{classes}",
        data_terms=KINETICS_TERMS,
        labels=f"kinetics{classes}",
        classes=classes,
        architecture=name.removesuffix(f"_k{classes}").removesuffix("_in1k"),
        mode="crop",
        clip_len=clip[0],
        frame_interval=clip[1],
        parameters=parameters,
        accuracy=f"top-1 {top1:.2f} % on Kinetics-{classes}, 10 clips x 3 crops",
    )


def _ava(
    name: str,
    folder: str,
    config: str,
    stamp: str,
    *,
    mean_ap: float,
    clip: tuple[int, int],
    parameters: int,
    version: str = "2.1",
) -> PublicCheckpoint:
    return _entry(
        name,
        folder,
        config,
        stamp,
        data=f"Kinetics, then AVA v{version}",
        data_terms=AVA_TERMS,
        labels="ava",
        classes=81,
        architecture=f"{name.partition('_ava')[0].removesuffix('_k700')}_ava",
        mode="scene",
        clip_len=clip[0],
        frame_interval=clip[1],
        parameters=parameters,
        accuracy=f"mAP {mean_ap:.2f} % on AVA v{version}",
    )


# Facts of the pages named in `source`, as of mmaction2 1.x. Not listed: networks that this program
# does not know (ACRN, context, temporal-max), and two files whose names have the same digits.
MMACTION2 = (
    _ava(
        "slowfast_r50_8x8_ava21",
        _AVA_SLOWFAST,
        "slowfast_kinetics400-pretrained-r50_8xb8-8x8x1-20e_ava21-rgb",
        "20220906-39133ec7",
        mean_ap=25.80,
        clip=(32, 2),
        parameters=34,
    ),
    _ava(
        "slowfast_r50_8x8_ava22",
        _AVA_SLOWFAST,
        "slowfast_kinetics400-pretrained-r50_8xb6-8x8x1-cosine-10e_ava22-rgb",
        "20220906-d934a48f",
        mean_ap=25.90,
        clip=(32, 2),
        parameters=34,
        version="2.2",
    ),
    _ava(
        "slowfast_r50_4x16_ava21",
        _AVA_SLOWFAST,
        "slowfast_kinetics400-pretrained-r50_8xb16-4x16x1-20e_ava21-rgb",
        "20220906-5180ea3c",
        mean_ap=24.32,
        clip=(32, 2),
        parameters=34,
    ),
    _ava(
        "slowonly_r50_4x16_ava21",
        _AVA_SLOWONLY,
        "slowonly_kinetics400-pretrained-r50_8xb16-4x16x1-20e_ava21-rgb",
        "20220906-953ef5fe",
        mean_ap=20.72,
        clip=(4, 16),
        parameters=32,
    ),
    _ava(
        "slowonly_r50_4x16_k700_ava21",
        _AVA_SLOWONLY,
        "slowonly_kinetics700-pretrained-r50_8xb16-4x16x1-20e_ava21-rgb",
        "20220906-b3b6d44e",
        mean_ap=22.77,
        clip=(4, 16),
        parameters=32,
    ),
    _ava(
        "slowonly_r101_8x8_ava21",
        _AVA_SLOWONLY,
        "slowonly_kinetics400-pretrained-r101_8xb16-8x8x1-20e_ava21-rgb",
        "20220906-43f16877",
        mean_ap=24.83,
        clip=(8, 8),
        parameters=60,
    ),
    _kinetics(
        "slowfast_r50_4x16",
        _SLOWFAST,
        "slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb",
        "20220901-701b0f6f",
        top1=75.55,
        clip=(32, 2),
        parameters=34,
    ),
    _kinetics(
        "slowfast_r50_8x8",
        _SLOWFAST,
        "slowfast_r50_8xb8-8x8x1-256e_kinetics400-rgb",
        "20220818-1cb6dfc8",
        top1=76.80,
        clip=(32, 2),
        parameters=35,
    ),
    _kinetics(
        "slowfast_r101_r50_4x16",
        _SLOWFAST,
        "slowfast_r101-r50_32xb8-4x16x1-256e_kinetics400-rgb",
        "20220901-a77ac3ee",
        top1=77.03,
        clip=(32, 2),
        parameters=62,
    ),
    _kinetics(
        "slowfast_r101_8x8",
        _SLOWFAST,
        "slowfast_r101_8xb8-8x8x1-256e_kinetics400-rgb",
        "20220818-9c0e09bd",
        top1=78.65,
        clip=(32, 2),
        parameters=63,
    ),
    _kinetics(
        "slowonly_r50_4x16",
        _SLOWONLY,
        "slowonly_r50_8xb16-4x16x1-256e_kinetics400-rgb",
        "20220901-f6a40d08",
        file="slowonly_r50_4x16x1_256e_8xb16_kinetics400-rgb",
        top1=72.97,
        clip=(4, 16),
        parameters=32,
    ),
    _kinetics(
        "slowonly_r50_8x8",
        _SLOWONLY,
        "slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb",
        "20220901-2132fc87",
        top1=75.15,
        clip=(8, 8),
        parameters=32,
    ),
    _kinetics(
        "slowonly_r101_8x8",
        _SLOWONLY,
        "slowonly_r101_8xb16-8x8x1-196e_kinetics400-rgb",
        "20220901-e6281431",
        top1=76.59,
        clip=(8, 8),
        parameters=60,
    ),
    _kinetics(
        "slowonly_r50_4x16_in1k",
        _SLOWONLY,
        "slowonly_imagenet-pretrained-r50_8xb16-4x16x1-steplr-150e_kinetics400-rgb",
        "20220901-e7b65fad",
        top1=75.12,
        clip=(4, 16),
        parameters=32,
    ),
    _kinetics(
        "slowonly_r50_4x16_k700",
        _SLOWONLY,
        "slowonly_imagenet-pretrained-r50_16xb16-4x16x1-steplr-150e_kinetics700-rgb",
        "20221013-98b1b0a7",
        top1=65.52,
        clip=(4, 16),
        parameters=32,
        classes=700,
    ),
    _kinetics(
        "slowonly_r50_8x8_k700",
        _SLOWONLY,
        "slowonly_imagenet-pretrained-r50_16xb16-8x8x1-steplr-150e_kinetics700-rgb",
        "20221013-15b93b10",
        top1=67.67,
        clip=(8, 8),
        parameters=32,
        classes=700,
    ),
)
