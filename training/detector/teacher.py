"""The teacher: a YOLO11 in OpenVINO's format with the features of every layer as outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from torch import Tensor

# Layers of ultralytics' yolo11.yaml whose output is compared: the C3k2 and C2PSA blocks.
BLOCKS = (2, 4, 6, 8, 10, 13, 16, 19, 22)
HEAD = 23
BOX_CHANNELS = 64  # 4 sides x 16 bins
PERSON_CHANNEL = BOX_CHANNELS  # the first class
STRIDES = (8, 16, 32)
_ATTENTION = 10  # the layer with constant shapes inside


@dataclass(frozen=True, slots=True, eq=False)
class DetectorOutputs:
    """Features and logits of a network for a batch."""

    features: dict[int, Tensor]  # layer -> bfloat16 (B, C, H, W), after the activation
    boxes: Tensor  # (B, 64, A) logits of the distances to the box's sides, A locations
    person: Tensor  # (B, 1, A) logits


class Teacher:
    """A YOLO11 detector at any input size, on one thread.

    Args:
        folder: OpenVINO export by ultralytics, batch 1, any static size, INT8 or float.
        size: sides of its images in pixels, a multiple of 32.

    Raises:
        FileNotFoundError: if the folder holds no model.
        ValueError: if the model is not a YOLO11.
    """

    def __init__(self, folder: Path, size: int) -> None:
        files = sorted(folder.glob("*.xml"))
        if not files:
            raise FileNotFoundError(f"no OpenVINO model (*.xml) in {folder}")
        core = openvino.Core()
        model = core.read_model(files[0])
        nodes = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
        try:
            outputs = [_activation(nodes, layer) for layer in BLOCKS]
            outputs += [_head_outputs(nodes, scale) for scale in range(len(STRIDES))]
            cut = openvino.Model(outputs, model.get_parameters(), "teacher")
            _free_attention(nodes)
        except KeyError as error:
            raise ValueError(
                f"{files[0]} is no YOLO11 as ultralytics exports it: {error}"
            ) from error
        cut.reshape([1, 3, size, size])
        settings = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
        self._compiled = core.compile_model(cut, "CPU", settings)

    def __call__(self, images: NDArray[np.float32]) -> DetectorOutputs:
        """Run a batch: float32 (B, 3, size, size) RGB in 0..1."""
        layers = [
            np.empty((len(images), *port.get_shape()[1:]), np.float32)
            for port in self._compiled.outputs
        ]
        for row, image in enumerate(images):
            found = self._compiled([image[None]], share_inputs=True, share_outputs=True)
            for port, layer in zip(self._compiled.outputs, layers, strict=True):
                layer[row] = found[port][0]  # a copy: the next image overwrites what is shared
        tensors = [torch.from_numpy(layer) for layer in layers]
        blocks, heads = tensors[: len(BLOCKS)], tensors[len(BLOCKS) :]
        answers = torch.cat([head.flatten(2) for head in heads], dim=2)
        return DetectorOutputs(
            # As the student computes: half the memory traffic, and its order of channels.
            {
                layer: block.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
                for layer, block in zip(BLOCKS, blocks, strict=True)
            },
            answers[:, :BOX_CHANNELS],
            answers[:, PERSON_CHANNEL : PERSON_CHANNEL + 1],
        )


def _activation(nodes: dict[str, openvino.Node], layer: int) -> openvino.Output:
    """Find a block's output: behind the SiLU of its last convolution."""
    biased = nodes[f"__module.model.{layer}.cv2.conv/aten::_convolution/Add"]
    (use,) = biased.output(0).get_target_inputs()
    return use.get_node().output(0)


def _head_outputs(nodes: dict[str, openvino.Node], scale: int) -> openvino.Output:
    """Find the box and class logits of one scale, (1, 64 + classes, H, W)."""
    name = f"__module.model.{HEAD}/aten::cat/Concat" + (f"_{scale}" if scale else "")
    return nodes[name].output(0)


def _free_attention(nodes: dict[str, openvino.Node]) -> None:
    """Compute the shapes that the export froze: the attention's number of locations."""
    ops = openvino.opset13
    prefix = f"__module.model.{_ATTENTION}.m.0.attn/aten::"
    view = nodes[prefix + "view/Reshape"]
    sides = ops.gather(ops.shape_of(view.input_value(0)), ops.constant([2, 3]), ops.constant(0))
    for name in ("view/Reshape", "view/Reshape_1", "reshape/Reshape"):
        node = nodes[prefix + name]
        shape = list(node.output(0).get_shape())
        if node is view:
            wanted = ops.constant([*shape[:3], -1])
        else:
            wanted = ops.concat([ops.constant(shape[:2]), sides], axis=0)
        node.input(1).replace_source_output(wanted.output(0))
