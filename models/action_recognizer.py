"""The recognizer as the pipeline uses it: person clips in, class scores out, repeatable."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.boxes import FloatArray
from models.clip_transform import ClipTransform
from models.fixed_batches import in_fixed_batches
from models.input_spec import InputSpec
from models.recognizer3d import Recognizer3D
from models.residual_blocks import ConvModule

Precision = Literal["auto", "float32", "bfloat16", "float16"]
CropClip = NDArray[np.uint8]

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class ActionRecognizer:
    """A copy of a network, made ready for one device.

    On a CPU every clip runs alone (batches gain nothing there), in bfloat16 where the CPU
    computes in it; on a GPU in batches of exactly `batch_size`, in float16. Batch norms are
    folded into their convolutions. The scores of a clip are the same bits alone and in company.

    Args:
        model: stays as it is.
        device: "auto", "cpu" or "cuda:N".
        precision: of the convolutions; the head and the scores are float32.
        batch_size: clips that a GPU runs at once.

    Raises:
        ValueError: if this machine lacks the device or cannot compute in the precision.
    """

    def __init__(
        self,
        model: Recognizer3D,
        *,
        device: str = "auto",
        precision: Precision = "auto",
        batch_size: int = 8,
    ) -> None:
        self._device = select_device(device)
        self._dtype = _select_dtype(self._device, precision)
        self._batch_size = batch_size if self._device.type == "cuda" else 1
        self._model = prepare_for_inference(model, self._device, self._dtype)
        self._transform = ClipTransform(model.input_spec, self._device)

    @property
    def spec(self) -> InputSpec:
        """What a clip must look like."""
        return self._model.input_spec

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the scores, in order."""
        return self.spec.labels

    def describe(self) -> str:
        """Model, device and precision for a log line."""
        return f"{self.spec.name} on {self._device} in {str(self._dtype).removeprefix('torch.')}"

    def predict(self, clips: Sequence[CropClip]) -> FloatArray:
        """Score every class of every clip.

        Args:
            clips: each uint8 (T, S, S, 3) BGR, T = spec.clip_len, S = spec.crop_size.

        Returns:
            float32 (N, num_classes): softmax, or sigmoid for a multi-label network.

        Raises:
            ValueError: if a clip has another shape or type.
        """
        size = self.spec.crop_size
        wanted = (self.spec.clip_len, size, size, 3)
        for clip in clips:
            if clip.shape != wanted or clip.dtype != np.uint8:
                raise ValueError(f"a clip must be uint8 {wanted}, got {clip.dtype} {clip.shape}")
        rows = in_fixed_batches(clips, self._batch_size, self._predict_batch)
        return np.stack(rows) if rows else np.zeros((0, len(self.labels)), np.float32)

    @torch.inference_mode()
    def _predict_batch(self, clips: Sequence[CropClip]) -> list[FloatArray]:
        crops = torch.from_numpy(np.stack(clips)).to(self._device)
        logits = self._model(self._transform(crops).to(self._dtype))
        scores = self._model.cls_head.scores(logits.float()).cpu().numpy()
        return list(scores)


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
            f"device {name!r} is not there: PyTorch sees {torch.cuda.device_count()} CUDA devices; "
            "use auto or cpu, or check the driver"
        )
    return device


def prepare_for_inference(
    model: Recognizer3D, device: torch.device, dtype: torch.dtype
) -> Recognizer3D:
    """A frozen copy with batch norms folded, channels last, and the backbone in `dtype`.

    Channels-last-3d and bfloat16 make the compact network several times faster than plain eager
    float32 on a CPU that has bfloat16 instructions. The head stays float32.
    """
    prepared = copy.deepcopy(model).float().eval().requires_grad_(False)
    for module in prepared.modules():
        if isinstance(module, ConvModule):
            module.fold_norm()
    prepared.to(device)
    prepared.backbone.to(dtype)
    for module in prepared.modules():
        if isinstance(module, nn.Conv3d):
            module.to(memory_format=torch.channels_last_3d)
    return prepared


def _select_dtype(device: torch.device, precision: Precision) -> torch.dtype:
    if precision == "float16" and device.type == "cpu":
        raise ValueError("precision float16 needs a GPU; on a CPU use auto, float32 or bfloat16")
    if precision != "auto":
        return _DTYPES[precision]
    if device.type == "cuda":
        return torch.float16
    # Without the instructions bfloat16 is emulated, slower than float32. PyTorch asks the same
    # question before it hands a bfloat16 convolution to oneDNN.
    has_bfloat16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if has_bfloat16 else torch.float32
