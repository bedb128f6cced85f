"""The networks by name, each with the input it is designed for."""

from __future__ import annotations

from collections.abc import Callable

from models.slowfast.architecture import Architecture
from models.slowfast.input_spec import IMAGENET_MEAN, IMAGENET_STD, InputSpec, numbered_labels
from models.slowfast.recognizer3d import Recognizer3D


def slowfast_r50_4x16(num_classes: int) -> Recognizer3D:
    """SlowFast R50 4x16 of mmaction2; 34,479,288 parameters with 400 classes."""
    return _mmaction2("slowfast_r50_4x16", num_classes, Architecture())


def slowfast_r50_8x8(num_classes: int) -> Recognizer3D:
    """SlowFast R50 8x8 of mmaction2; 34,565,560 parameters with 400 classes."""
    return _mmaction2("slowfast_r50_8x8", num_classes, Architecture(alpha=4, fusion_kernel=7))


def slowfast_r101_8x8(num_classes: int) -> Recognizer3D:
    """SlowFast R101 8x8 of mmaction2; 62,912,312 parameters with 400 classes."""
    architecture = Architecture(slow_depth=101, fast_depth=101, alpha=4, fusion_kernel=7)
    return _mmaction2("slowfast_r101_8x8", num_classes, architecture)


def slowfast_r101_r50_4x16(num_classes: int) -> Recognizer3D:
    """Slow R101 and fast R50, 4x16, of mmaction2; 62,384,312 parameters with 400 classes."""
    return _mmaction2("slowfast_r101_r50_4x16", num_classes, Architecture(slow_depth=101))


def slowonly_r50(num_classes: int) -> Recognizer3D:
    """SlowOnly R50 8x8 of mmaction2: the slow pathway alone, 8 frames 8 apart."""
    return _mmaction2(
        "slowonly_r50", num_classes, Architecture(fast_depth=None, alpha=1), clip_len=8
    )


def slowfast_r50_8x8_ava(num_classes: int) -> Recognizer3D:
    """SlowFast R50 8x8 with a RoI head, as mmaction2 trains it on AVA: scores per box."""
    architecture = Architecture(
        alpha=4, fusion_kernel=7, spatial_strides=(1, 2, 2, 1), head="roi", roi_resolution=8
    )
    return _mmaction2("slowfast_r50_8x8_ava", num_classes, architecture)


def slowfast_compact(num_classes: int) -> Recognizer3D:
    """R18-like pathways on small crops, for live use on a CPU.

    16 frames 4/30 s apart span the same two seconds as 32 x 2 at half the cost, and a 10 fps
    camera has that many different frames.
    """
    architecture = Architecture(
        slow_depth=18,
        fast_depth=18,
        base_channels=32,
        alpha=4,
        beta_inv=4,
        # Inflating res5 as in R50 would triple its 3x3 convolutions, most of all the weights:
        # 8.0 M parameters instead of 4.7 M, beyond the 15 MB a weight file may have.
        slow_inflate=(0, 0, 1, 0),
    )
    spec = InputSpec(
        name="slowfast_compact",
        labels=numbered_labels(num_classes),
        clip_len=16,
        frame_interval=4,
        crop_size=112,
        alpha=4,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )
    return Recognizer3D(architecture, spec)


ARCHITECTURES: dict[str, Callable[[int], Recognizer3D]] = {
    build.__name__: build
    for build in (
        slowfast_r50_4x16,
        slowfast_r50_8x8,
        slowfast_r101_8x8,
        slowfast_r101_r50_4x16,
        slowonly_r50,
        slowfast_r50_8x8_ava,
        slowfast_compact,
    )
}


def _mmaction2(
    name: str, num_classes: int, architecture: Architecture, *, clip_len: int = 32
) -> Recognizer3D:
    boxes = architecture.head == "roi"
    spec = InputSpec(
        name=name,
        labels=numbered_labels(num_classes),
        multi_label=boxes,
        clip_len=clip_len,
        frame_interval=64 // clip_len,
        crop_size=256 if boxes else 224,
        alpha=architecture.alpha,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )
    return Recognizer3D(architecture, spec)
