"""Infer the network that a file's weights belong to from their names and shapes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from models.checkpoints.naming_schemes import OUR_HEAD, NamingScheme
from models.checkpoints.training_config import SavedTrainingConfig
from models.slowfast.architecture import Architecture, Inflation
from models.slowfast.non_local import BlocksPerStage
from models.slowfast.residual_blocks import BasicBlock3d, Kernel3d
from models.slowfast.resnet3d import DEPTHS, STAGES

AVA_CLASSES = 80  # of PySlowFast's detection checkpoints; mmaction2's have an unused class more

log = logging.getLogger(__name__)


class UnknownNetworkError(Exception):
    """The weights are of no SlowFast network; the message has the reason."""


@dataclass(frozen=True, slots=True)
class Inferred:
    """What names and shapes of a file's weights show."""

    architecture: Architecture
    num_classes: int


def infer_architecture(
    tensors: Mapping[str, Tensor], scheme: NamingScheme, saved: SavedTrainingConfig
) -> Inferred:
    """Read depths, channels, kernels and inflation from the shapes, the rest from convention.

    Raises:
        UnknownNetworkError: if the stages are those of no ResNet, or a weight is missing.
    """
    roi = _has_roi_head(tensors, scheme, saved)
    shapes = _Shapes(tensors, scheme, roi)
    slow = _read_pathway(shapes, "slow")
    head = shapes.need(f"{OUR_HEAD}weight")
    common = {
        "slow_depth": slow.depth,
        "base_channels": slow.base_channels,
        "slow_conv1_kernel": slow.stem_kernel,
        "slow_inflate": slow.inflate,
        **(_non_local_conventions(slow, roi, saved) if any(slow.non_local_at) else {}),
        **(_roi_conventions(scheme, saved) if roi else {}),
    }
    if shapes.get("backbone.fast.stem.conv.weight") is None:
        _check_slow_only(slow, saved)
        architecture = Architecture(fast_depth=None, alpha=1, **common)  # type: ignore[arg-type]
    else:
        fast = _read_pathway(shapes, "fast")
        lateral = shapes.need("backbone.laterals.0.conv.weight")
        alpha = saved.alpha or _usual_alpha(scheme, lateral[2], slow.depth)
        architecture = Architecture(
            fast_depth=fast.depth,
            fast_conv1_kernel=fast.stem_kernel,
            fast_inflate=fast.inflate,
            beta_inv=slow.base_channels // fast.base_channels,
            alpha=alpha,
            resample_rate=None if saved.resample_rate == alpha else saved.resample_rate,
            fusion_kernel=lateral[2],
            fusion_ratio=lateral[0] // lateral[1],
            lateral_norm=shapes.get("backbone.laterals.0.bn.weight") is not None,
            **common,  # type: ignore[arg-type]
        )
    return Inferred(architecture, head[0])


def _usual_alpha(scheme: NamingScheme, fusion_kernel: int, depth: int) -> int:
    """Return alpha, which no shape shows, by the public models: 4 with kernel 7, 8 with kernel 5.

    The deep models of PySlowFast and pytorchvideo (R101 8x8 and 16x8) have kernel 5 and alpha 4.
    """
    if scheme.library != "mmaction2" and depth > 50:
        return 4
    return 4 if fusion_kernel == 7 else 8


def _has_roi_head(
    tensors: Mapping[str, Tensor], scheme: NamingScheme, saved: SavedTrainingConfig
) -> bool:
    weight = f"{scheme.roi_head}.weight"
    if scheme.roi_head != scheme.head:
        return weight in tensors
    if saved.boxes is not None:
        return saved.boxes
    is_ava = weight in tensors and len(tensors[weight]) == AVA_CLASSES
    if is_ava:
        log.warning(
            "%d classes and no configuration in the file: read as a detection checkpoint of AVA",
            AVA_CLASSES,
        )
    return is_ava


def _roi_conventions(scheme: NamingScheme, saved: SavedTrainingConfig) -> dict[str, object]:
    return {
        "head": "roi",
        "spatial_strides": (1, 2, 2, 1),
        "dilations": (1, 1, 1, scheme.roi_dilation),
        "roi_resolution": scheme.roi_resolution,
        "roi_aligned": scheme.roi_aligned if saved.roi_aligned is None else saved.roi_aligned,
    }


def _non_local_conventions(
    slow: _PathwayShape, roi: bool, saved: SavedTrainingConfig
) -> dict[str, object]:
    # Without a configuration in the file: configs/AVA/c2 pools time too, the default does not.
    return {
        "slow_non_local_at": slow.non_local_at,
        "non_local_pool": saved.non_local_pool or ((2, 2, 2) if roi else (1, 2, 2)),
        "non_local_instantiation": saved.non_local_instantiation or "dot_product",
    }


def _check_slow_only(slow: _PathwayShape, saved: SavedTrainingConfig) -> None:
    """Refuse C2D and I3D: their weights are like SlowOnly's, their pooling in time is in none."""
    if saved.network is not None:
        if not saved.network.startswith("slow"):
            raise UnknownNetworkError(f"its MODEL.ARCH is {saved.network}, not slowfast or slow")
    elif slow.stem_kernel[0] > 1 or not any(map(any, map(_per_block, slow.inflate))):
        raise UnknownNetworkError("its one pathway is inflated as in C2D or I3D, not in SlowOnly")


class _Shapes:
    """Shapes of the file's weights by our names."""

    def __init__(self, tensors: Mapping[str, Tensor], scheme: NamingScheme, roi: bool) -> None:
        self._tensors, self._scheme, self._roi = tensors, scheme, roi

    def get(self, ours: str) -> tuple[int, ...] | None:
        tensor = self._tensors.get(self._scheme.name(ours, roi=self._roi))
        return None if tensor is None else tuple(tensor.shape)

    def need(self, ours: str) -> tuple[int, ...]:
        shape = self.get(ours)
        if shape is None:
            name = self._scheme.name(ours, roi=self._roi)
            raise UnknownNetworkError(f"it has no {name}")
        return shape


@dataclass(frozen=True, slots=True)
class _PathwayShape:
    depth: int
    base_channels: int
    stem_kernel: Kernel3d
    inflate: Inflation
    non_local_at: BlocksPerStage


def _read_pathway(shapes: _Shapes, path: str) -> _PathwayShape:
    prefix = f"backbone.{path}"
    channels, _, *kernel = shapes.need(f"{prefix}.stem.conv.weight")
    if len(kernel) != 3:
        raise UnknownNetworkError(f"the convolutions of its {path} pathway have no time")
    stages = [_temporal_kernels(shapes, f"{prefix}.{stage}") for stage in STAGES]
    has_third = shapes.get(f"{prefix}.res2.0.conv3.conv.weight") is not None
    counts = tuple(map(len, stages))
    for depth, (block, block_counts) in DEPTHS.items():
        if block_counts == counts and (block is not BasicBlock3d) == has_third:
            return _PathwayShape(
                depth,
                channels,
                (kernel[0], kernel[1], kernel[2]),
                tuple(_inflation(stage) for stage in stages),
                tuple(_non_local_at(shapes, f"{prefix}.{stage}") for stage in STAGES),
            )
    raise UnknownNetworkError(f"its {path} pathway has {counts} blocks, as no ResNet has")


def _temporal_kernels(shapes: _Shapes, stage: str) -> list[int]:
    kernels: list[int] = []
    while shape := shapes.get(f"{stage}.{len(kernels)}.conv1.conv.weight"):
        kernels.append(shape[2])
    return kernels


def _non_local_at(shapes: _Shapes, stage: str) -> tuple[int, ...]:
    blocks = range(max(count for _, counts in DEPTHS.values() for count in counts))
    return tuple(at for at in blocks if shapes.get(f"{stage}.{at}.non_local.theta.weight"))


def _per_block(inflate: int | tuple[int, ...]) -> tuple[int, ...]:
    return inflate if isinstance(inflate, tuple) else (inflate,)


def _inflation(kernels: list[int]) -> int | tuple[int, ...]:
    inflated = tuple(int(kernel > 1) for kernel in kernels)
    return inflated[0] if len(set(inflated)) == 1 else inflated
