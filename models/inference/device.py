"""Choose device, backend and precision for this machine from what the user configured."""

from __future__ import annotations

import importlib.util
from typing import Literal

import torch

Backend = Literal["auto", "torch", "openvino"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def select_backend(backend: Backend, device: torch.device) -> Literal["torch", "openvino"]:
    """Resolve "auto": OpenVINO on a CPU where it is installed, else PyTorch.

    Raises:
        ValueError: if OpenVINO is requested on a GPU, or is not installed.
    """
    if backend == "torch" or (backend == "auto" and device.type != "cpu"):
        return "torch"
    if device.type != "cpu":
        raise ValueError(f"backend openvino runs on the CPU, not on {device}; use auto or torch")
    if importlib.util.find_spec("openvino") is None:
        if backend == "auto":
            return "torch"
        raise ValueError("backend openvino is not installed; pip install openvino, or use torch")
    return "openvino"


def select_device(name: str) -> torch.device:
    """Resolve "auto", "cpu" or "cuda:N".

    Raises:
        ValueError: if it is another name, or this machine has no such GPU.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device must be auto, cpu or cuda:N, got {name!r}") from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda:N, got {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device {name!r} does not exist: PyTorch sees {torch.cuda.device_count()} CUDA "
            "devices; use auto or cpu, or check the driver"
        )
    return device


def select_dtype(device: torch.device, precision: Precision) -> torch.dtype:
    """Resolve "auto": float16 on a GPU, bfloat16 on a CPU with instructions for it, else float32.

    Raises:
        ValueError: for float16 on a CPU.
    """
    if device.type == "cpu":
        refuse_float16(precision)
    if precision != "auto":
        return _DTYPES[precision]
    if device.type == "cuda":
        return torch.float16
    # Without the instructions bfloat16 is emulated, slower than float32. PyTorch runs the same
    # check before it hands a bfloat16 convolution to oneDNN.
    has_bfloat16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if has_bfloat16 else torch.float32


def refuse_float16(precision: Precision) -> None:
    """Refuse float16 on a CPU, which none computes in.

    Raises:
        ValueError: if the precision is float16.
    """
    if precision == "float16":
        raise ValueError("precision float16 needs a GPU; use auto, float32 or bfloat16")


def gpu_memory_bytes() -> int | None:
    """Return the bytes that PyTorch reserves on all GPUs; None where it uses none."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return None
    return sum(torch.cuda.memory_reserved(index) for index in range(torch.cuda.device_count()))
