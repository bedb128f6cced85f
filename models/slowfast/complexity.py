"""Parameters and multiply-adds of a recognizer, stage by stage."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from models.slowfast.non_local import NonLocalBlock
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.resnet3d import STAGES, ResNet3d
from models.slowfast.slowfast import ResNet3dSlowFast

CONVENTION = (
    "multiply-adds of convolutions, linear layers and the products of non-local blocks, one clip; "
    "a FLOP count is twice that. Batch norm, ReLU, pooling and RoI-align are not counted."
)


@dataclass(frozen=True, slots=True)
class StageComplexity:
    """One stage of one pathway."""

    stage: str  # e.g. "slow res2", "lateral res3", "head"
    parameters: int
    multiply_adds: int


def measure_complexity(
    model: Recognizer3D, height_width: tuple[int, int] | None = None
) -> list[StageComplexity]:
    """Count without computing: the network runs on the "meta" device, which has shapes alone.

    Args:
        model: is copied, not changed.
        height_width: of the clip in pixels; None takes the input spec's crop_size for both.

    Returns:
        One row per stage: those of the slow pathway, laterals, those of the fast pathway, head.
    """
    spec = model.input_spec
    height, width = height_width or (spec.crop_size, spec.crop_size)
    shapes = copy.deepcopy(model).to("meta").eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        shapes.forward_dummy(torch.zeros(1, 3, spec.clip_len, height, width, device="meta"))
    flops = counter.get_flop_counts()
    names = {module: f"{type(shapes).__name__}.{name}" for name, module in shapes.named_modules()}
    return [
        StageComplexity(
            stage,
            parameters=sum(parameter.numel() for parameter in module.parameters()),
            multiply_adds=sum(sum(flops[names[layer]].values()) // 2 for layer in _layers(module)),
        )
        for stage, module in _stages(shapes)
    ]


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    """Yield what is counted as a whole."""
    if isinstance(module, nn.Conv3d | nn.Linear | NonLocalBlock):
        yield module
        return
    for child in module.children():
        yield from _layers(child)


def _stages(model: Recognizer3D) -> Iterator[tuple[str, nn.Module]]:
    """Yield the rows of the table: a name and the module that belongs to it."""
    backbone = model.backbone
    yield from _pathway("slow", backbone.slow)
    if isinstance(backbone, ResNet3dSlowFast):
        yield "laterals", backbone.laterals
        yield from _pathway("fast", backbone.fast)
    yield "head", model.cls_head


def _pathway(name: str, pathway: ResNet3d) -> Iterator[tuple[str, nn.Module]]:
    yield f"{name} stem", pathway.stem
    for stage, module in zip(STAGES, pathway.stages, strict=True):
        yield f"{name} {stage}", module
