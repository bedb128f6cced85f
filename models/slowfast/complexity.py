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
    """Count without computing: the network runs on shapes alone.

    Args:
        model: stays as it is.
        height_width: of the clip in pixels; None: what the network was made for.
    """
    spec = model.input_spec
    height, width = height_width or (spec.crop_size, spec.crop_size)
    shapes = copy.deepcopy(model).to("meta").eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        shapes(torch.zeros(1, 3, spec.clip_len, height, width, device="meta"))
    flops = counter.get_flop_counts()
    root = type(model).__name__
    return [
        StageComplexity(
            stage,
            parameters=sum(p.numel() for module in modules for p in module.parameters()),
            multiply_adds=sum(
                sum(flops[f"{root}.{layer}"].values()) // 2
                for name, module in zip(names, modules, strict=True)
                for layer in _layers(name, module)
            ),
        )
        for stage, names in _stages(model)
        for modules in [[model.get_submodule(name) for name in names]]
    ]


def _layers(name: str, module: nn.Module) -> Iterator[str]:
    if isinstance(module, nn.Conv3d | nn.Linear | NonLocalBlock):
        yield name
        return
    for child, layer in module.named_children():
        yield from _layers(f"{name}.{child}", layer)


def _stages(model: Recognizer3D) -> Iterator[tuple[str, list[str]]]:
    """Every stage with the modules that belong to it."""
    for path, resnet in model.backbone.named_children():
        prefix, name = f"backbone.{path}", path.removesuffix("_path")
        children = dict(resnet.named_children())
        yield f"{name} stem", [f"{prefix}.conv1"]
        for stage in range(1, 5):
            yield f"{name} res{stage + 1}", [f"{prefix}.layer{stage}"]
        laterals = [f"{prefix}.{child}" for child in children if child.endswith("_lateral")]
        if laterals:
            yield "laterals", laterals
    yield "head", ["cls_head"]
