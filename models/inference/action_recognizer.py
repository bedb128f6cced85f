"""The recognizer of person clips: crops in, class scores out, repeatable bit by bit."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.boxes import FloatArray
from models.inference.clip_transform import ClipTransform
from models.inference.device import (
    Backend,
    Precision,
    select_backend,
    select_device,
    select_dtype,
)
from models.inference.finite_scores import FiniteScores
from models.inference.fixed_batches import in_fixed_batches
from models.inference.openvino_network import OpenVinoNetwork
from models.inference.temperature import apply_temperatures
from models.slowfast.default_decision import DefaultDecision
from models.slowfast.input_spec import InputSpec
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.residual_blocks import ConvModule

CropClip = NDArray[np.uint8]


class ActionRecognizer:
    """A copy of a network, prepared for inference on one device.

    On a CPU every clip runs alone, in bfloat16 where the CPU computes in it: batches of the
    compact network save about 15 % there, and the scores of a clip would depend on them. On a GPU
    clips run in batches of exactly `batch_size`, in float16. Batch norms are folded into their
    convolutions. On a CPU the scores of a clip are the same bits whatever runs beside it; on a
    GPU fixed batches are meant to give the same, which was not measured. Where the scores leave the
    range of the precision, float32 is used for the rest of the run; see `FiniteScores`.

    Args:
        model: is copied, not changed.
        device: "auto", "cpu" or "cuda:N".
        precision: of the convolutions; the head and the scores are float32.
        batch_size: clips per call on a GPU.
        backend: what computes; "auto" is OpenVINO on a CPU and PyTorch on a GPU.
        cache_dir: of OpenVINO's exports; None keeps none.

    Raises:
        ValueError: if this machine lacks the device, cannot compute in the precision, or the
            backend does not run on the device.
    """

    def __init__(
        self,
        model: Recognizer3D,
        *,
        device: str = "auto",
        precision: Precision = "auto",
        batch_size: int = 8,
        backend: Backend = "auto",
        cache_dir: Path | None = None,
    ) -> None:
        self._device = select_device(device)
        self._batch_size = batch_size if self._device.type == "cuda" else 1
        self._backend = select_backend(backend, self._device)
        self._spec = model.input_spec
        self._defaults = model.default_decision
        if self._backend == "openvino":
            network = _openvino_scorer(model, precision, cache_dir)
            self._score = FiniteScores(
                network, network.precision, lambda: _openvino_scorer(model, "float32", cache_dir)
            )
        else:
            dtype = select_dtype(self._device, precision)
            self._score = FiniteScores(
                _TorchScorer(model, self._device, dtype),
                str(dtype).removeprefix("torch."),
                lambda: _TorchScorer(model, self._device, torch.float32),
            )

    @property
    def spec(self) -> InputSpec:
        """Shape, sampling and colours of the clips."""
        return self._spec

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the scores, in order."""
        return self._spec.labels

    @property
    def default_decision(self) -> DefaultDecision | None:
        """Thresholds and temperatures of the weights."""
        return self._defaults

    def describe(self) -> str:
        """Name model, device, precision and backend for a log line."""
        return f"{self._spec.name} on {self._device} in {self._score.precision} by {self._backend}"

    def predict(self, clips: Sequence[CropClip]) -> FloatArray:
        """Score every class of every clip.

        Args:
            clips: each uint8 (T, S, S, 3) BGR, T = spec.clip_len, S = spec.crop_size.

        Returns:
            float32 (N, num_classes): softmax, or sigmoid for a multi-label network. A row may
            hold NaN, if the network gives none for that clip in float32 either.

        Raises:
            ValueError: if a clip has another shape or type.
        """
        size = self._spec.crop_size
        wanted = (self._spec.clip_len, size, size, 3)
        for clip in clips:
            if clip.shape != wanted or clip.dtype != np.uint8:
                raise ValueError(f"a clip must be uint8 {wanted}, got {clip.dtype} {clip.shape}")
        rows = in_fixed_batches(clips, self._batch_size, self._predict_batch)
        scores = np.stack(rows) if rows else np.zeros((0, len(self.labels)), np.float32)
        return calibrated(scores, self._spec, self._defaults)

    def _predict_batch(self, clips: Sequence[CropClip]) -> list[FloatArray]:
        return list(self._score(np.stack(clips)))


def calibrated(scores: FloatArray, spec: InputSpec, defaults: DefaultDecision | None) -> FloatArray:
    """Apply the temperatures of the weights; without any the scores stay the same bits.

    Args:
        scores: float32 (N, num_classes).
        spec: names the labels.
        defaults: of the weights.
    """
    temperatures = None if defaults is None else defaults.temperatures(spec.labels)
    if temperatures is None or not len(scores):
        return scores
    return apply_temperatures(scores, temperatures, multi_label=spec.multi_label)


class ScoringNetwork(nn.Module):
    """From crops to scores: the input transform and `Recognizer3D.forward_test` in one module.

    Args:
        model: prepared for inference, its backbone in `dtype`.
        device: where it is.
        dtype: of the backbone.
    """

    def __init__(self, model: Recognizer3D, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__()
        self.model = model
        self._transform = ClipTransform(model.input_spec, device)
        self._dtype = dtype

    def forward(self, crops: Tensor) -> Tensor:
        """uint8 (B, T, S, S, 3) BGR -> float32 (B, num_classes)."""
        return self.model.forward_test(self._transform(crops).to(self._dtype))


class _TorchScorer:
    """The network in PyTorch."""

    def __init__(self, model: Recognizer3D, device: torch.device, dtype: torch.dtype) -> None:
        self._device = device
        prepared = prepare_for_inference(model, device, dtype)
        self._network = ScoringNetwork(prepared, device, dtype)

    @torch.inference_mode()
    def __call__(self, crops: CropClip) -> FloatArray:
        scores: Tensor = self._network(torch.from_numpy(crops).to(self._device))
        return scores.cpu().numpy()


def _openvino_scorer(
    model: Recognizer3D, precision: Precision, cache_dir: Path | None
) -> OpenVinoNetwork:
    """Build the network in OpenVINO from float32; the precision is chosen when it is compiled."""
    spec, cpu = model.input_spec, torch.device("cpu")
    network = ScoringNetwork(prepare_for_inference(model, cpu, torch.float32), cpu, torch.float32)
    crops = torch.zeros(1, spec.clip_len, spec.crop_size, spec.crop_size, 3, dtype=torch.uint8)
    return OpenVinoNetwork(
        network.eval(),
        (crops,),
        description=f"{model.architecture.to_json()} {spec.to_json()}",
        precision=precision,
        cache_dir=cache_dir,
    )


def prepare_for_inference(
    model: Recognizer3D, device: torch.device, dtype: torch.dtype
) -> Recognizer3D:
    """Return a frozen copy with batch norms folded, channels last, and the backbone in `dtype`.

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
