"""The networks by name, each with the input it is made for."""

from __future__ import annotations

from collections.abc import Callable

from models.heads import SlowFastHead
from models.input_spec import InputSpec
from models.recognizer3d import Recognizer3D
from models.slowfast import ResNet3dSlowFast

# ImageNet's mean and deviation on 0..255, RGB, as in mmaction2's configs.
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)


def slowfast_r50_4x16(num_classes: int) -> Recognizer3D:
    """SlowFast R50 4x16 of mmaction2; 34,479,288 parameters with 400 classes."""
    backbone = ResNet3dSlowFast(50, alpha=8, fusion_kernel=5)
    return _recognizer("slowfast_r50_4x16", backbone, _kinetics_spec(num_classes, alpha=8))


def slowfast_r50_8x8(num_classes: int) -> Recognizer3D:
    """SlowFast R50 8x8 of mmaction2; 34,565,560 parameters with 400 classes."""
    backbone = ResNet3dSlowFast(50, alpha=4, fusion_kernel=7)
    return _recognizer("slowfast_r50_8x8", backbone, _kinetics_spec(num_classes, alpha=4))


def slowfast_compact(num_classes: int) -> Recognizer3D:
    """R18-like pathways on small crops, for live use on a CPU.

    16 frames 4/30 s apart span the same two seconds as 32 x 2 at half the cost, and a 10 fps
    camera has that many different frames.
    """
    backbone = ResNet3dSlowFast(
        18,
        base_channels=32,
        alpha=4,
        beta_inv=4,
        fusion_kernel=5,
        # Inflating res5 as in R50 would triple its 3x3 convolutions, most of all the weights:
        # 8.0 M parameters instead of 4.7 M, beyond the 15 MB a weight file may have.
        slow_inflate=(0, 0, 1, 0),
    )
    spec = InputSpec(
        name="slowfast_compact",
        labels=_numbered(num_classes),
        clip_len=16,
        frame_interval=4,
        crop_size=112,
        alpha=4,
        mean=MEAN,
        std=STD,
    )
    return _recognizer("slowfast_compact", backbone, spec)


_BUILDERS: dict[str, Callable[[int], Recognizer3D]] = {
    build.__name__: build for build in (slowfast_r50_4x16, slowfast_r50_8x8, slowfast_compact)
}


def build_architecture(name: str, num_classes: int) -> Recognizer3D:
    """The untrained network of that name.

    Raises:
        ValueError: listing the names, if there is none.
    """
    if name not in _BUILDERS:
        raise ValueError(f"unknown architecture {name!r}; there are {', '.join(_BUILDERS)}")
    return _BUILDERS[name](num_classes)


def _recognizer(name: str, backbone: ResNet3dSlowFast, spec: InputSpec) -> Recognizer3D:
    head = SlowFastHead(len(spec.labels), backbone.out_channels)
    return Recognizer3D(name, backbone, head, spec)


def _kinetics_spec(num_classes: int, *, alpha: int) -> InputSpec:
    return InputSpec(
        name=f"slowfast_r50_{32 // alpha}x{2 * alpha}",
        labels=_numbered(num_classes),
        clip_len=32,
        frame_interval=2,
        crop_size=224,
        alpha=alpha,
        mean=MEAN,
        std=STD,
    )


def _numbered(num_classes: int) -> tuple[str, ...]:
    return tuple(f"class_{index}" for index in range(num_classes))
