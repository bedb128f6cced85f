"""Device, precision and processes of a training run."""

from __future__ import annotations

import logging
from typing import Literal

import torch
from lightning_fabric import Fabric

from models.inference.device import Precision, select_dtype
from models.slowfast.recognizer3d import Recognizer3D

FabricPrecision = Literal["32-true", "bf16-mixed", "16-mixed"]
_PRECISIONS: dict[torch.dtype, FabricPrecision] = {
    torch.float32: "32-true",
    torch.bfloat16: "bf16-mixed",
    torch.float16: "16-mixed",
}

log = logging.getLogger(__name__)


def choose_precision(
    precision: Precision, device: torch.device, model: Recognizer3D
) -> FabricPrecision:
    """Choose what convolutions compute in; weights and the optimiser are always float32.

    Args:
        precision: "auto" is bfloat16 where the device has it, else float16 on a GPU and float32
            on a CPU.
        device: "cpu" or "cuda:N".
        model: to be trained.

    Raises:
        ValueError: if the device cannot train this network in the precision.
    """
    if device.type == "cuda":
        if precision == "auto":
            precision = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        return _PRECISIONS[select_dtype(device, precision)]
    dtype = select_dtype(device, precision)
    if dtype == torch.bfloat16 and 2 in pathway_frames(model):
        # Seen with PyTorch 2.14.1 on a CPU with AVX-512: the bfloat16 weight gradient of a
        # 3x3x3 convolution over exactly two frames is whatever stood in memory.
        spec = model.input_spec
        problem = f"clip_len {spec.clip_len} gives a pathway of two frames"
        if precision == "bfloat16":
            raise ValueError(
                f"{problem}, whose bfloat16 gradients are wrong on a CPU; use float32, a GPU or "
                f"another clip_len"
            )
        log.warning("%s: trained in float32, as bfloat16 is wrong for it on a CPU", problem)
        dtype = torch.float32
    return _PRECISIONS[dtype]


def pathway_frames(model: Recognizer3D) -> tuple[int, ...]:
    """Return the frames that each pathway sees of a clip: slow and fast, or slow alone."""
    clip_len, architecture = model.input_spec.clip_len, model.architecture
    slow = clip_len // architecture.slow_stride
    if architecture.fast_depth is None:
        return (slow,)
    return slow, clip_len // architecture.fast_stride


def make_fabric(device: torch.device, devices: int, precision: FabricPrecision) -> Fabric:
    """Set up Lightning Fabric for one device, or for several processes with one each.

    Raises:
        ValueError: if there are not that many GPUs.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    on_gpu = device.type == "cuda"
    if on_gpu:
        # The fastest kernel is chosen by measuring, and may be another one next time.
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
        if devices > torch.cuda.device_count():
            raise ValueError(f"there are {torch.cuda.device_count()} GPUs, not {devices}")
    accelerator = "cuda" if on_gpu else "cpu"
    if devices > 1:
        return Fabric(
            accelerator=accelerator, devices=devices, strategy="ddp_spawn", precision=precision
        )
    chosen = [device.index or 0] if on_gpu else 1
    return Fabric(accelerator=accelerator, devices=chosen, precision=precision)
