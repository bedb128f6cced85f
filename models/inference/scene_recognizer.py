"""The recognizer of whole scenes: frames and boxes in, class scores per box out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.boxes import FloatArray
from models.inference.action_recognizer import calibrated, prepare_for_inference
from models.inference.clip_transform import ClipTransform
from models.inference.device import (
    Backend,
    Precision,
    select_backend,
    select_device,
    select_dtype,
)
from models.inference.finite_scores import FiniteScores
from models.inference.openvino_network import OpenVinoNetwork, select_cpu_precision
from models.slowfast.default_decision import DefaultDecision
from models.slowfast.input_spec import InputSpec
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.roi_head import RoIHead

# OpenVINO compiles a network for one height and width. Scenes are scaled to one shorter side, so
# cameras differ in their aspect ratios only; beyond that the least recently used is dropped.
KEPT_SHAPES = 4


class SceneRecognizer:
    """A copy of a network with a RoI head, prepared for inference on one device.

    The backbone runs once per scene, whatever the number of people; the head runs in PyTorch.
    The two are separate networks here, hence not `Recognizer3D.forward_test`.

    Args:
        model: with a RoI head; is copied, not changed.
        device: "auto", "cpu" or "cuda:N".
        precision: of the convolutions; the head and the scores are float32.
        backend: what computes the backbone; "auto" is OpenVINO on a CPU and PyTorch on a GPU.
        cache_dir: of OpenVINO's exports; None keeps none.

    Raises:
        ValueError: if the network has no RoI head, this machine lacks the device or cannot
            compute in the precision, or the backend does not run on the device.
    """

    def __init__(
        self,
        model: Recognizer3D,
        *,
        device: str = "auto",
        precision: Precision = "auto",
        backend: Backend = "auto",
        cache_dir: Path | None = None,
    ) -> None:
        if not isinstance(model.cls_head, RoIHead):
            raise ValueError(f"{model.input_spec.name} has no RoI head: it sees crops, not scenes")
        self._device = select_device(device)
        self._backend = select_backend(backend, self._device)
        self._spec = model.input_spec
        self._defaults = model.default_decision

        def build(wanted: Precision) -> _SceneScorer:
            if self._backend == "openvino":
                return _SceneScorer(_OpenVinoFeatures(model, wanted, cache_dir), self._device)
            return _SceneScorer(_TorchFeatures(model, self._device, wanted), self._device)

        scorer = build(precision)
        self._score = FiniteScores(scorer, scorer.precision, lambda: build("float32"))

    @property
    def spec(self) -> InputSpec:
        """Shape, sampling and colours of the clips; `crop_size` is the scene's shorter side."""
        return self._spec

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the scores, in order."""
        return self.spec.labels

    @property
    def default_decision(self) -> DefaultDecision | None:
        """Thresholds and temperatures of the weights."""
        return self._defaults

    def describe(self) -> str:
        """Name model, device, precision and backend for a log line."""
        how = f"in {self._score.precision} by {self._backend}"
        return f"{self.spec.name} on {self._device} {how}, whole scenes"

    def predict_scene(self, frames: NDArray[np.uint8], xyxy: FloatArray) -> FloatArray:
        """Score every class for every box.

        The first scene of a new height and width takes OpenVINO seconds: the network is compiled.

        Args:
            frames: uint8 (T, H, W, 3) BGR, T = spec.clip_len.
            xyxy: float32 (N, 4) pixels of the frames, of the people in the middle one.

        Returns:
            float32 (N, num_classes): sigmoid for a multi-label network, else softmax. A row may
            hold NaN, if the network gives none in float32 either.

        Raises:
            ValueError: if the frames or boxes have another shape or type.
        """
        if frames.ndim != 4 or len(frames) != self.spec.clip_len:
            raise ValueError(f"a scene has {self.spec.clip_len} frames, got {frames.shape}")
        if xyxy.ndim != 2 or xyxy.shape[1] != 4:
            raise ValueError(f"boxes must be (N, 4), got {xyxy.shape}")
        indexed = np.concatenate([np.zeros((len(xyxy), 1), np.float32), xyxy], axis=1)
        scores = self._score(frames[None], indexed.astype(np.float32))
        return calibrated(scores, self._spec, self._defaults)


class SceneFeatures(nn.Module):
    """From frames to the features that the head pools: all that does not depend on the boxes.

    Args:
        model: prepared for inference, its backbone in `dtype`.
        device: where it is.
        dtype: of the backbone.
    """

    def __init__(self, model: Recognizer3D, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__()
        assert isinstance(model.cls_head, RoIHead)
        self.model, self.head = model, model.cls_head
        self._transform = ClipTransform(model.input_spec, device)
        self._dtype = dtype

    def forward(self, frames: Tensor) -> Tensor:
        """uint8 (1, T, H, W, 3) BGR -> float32 (1, C, H / 16, W / 16), averaged over time."""
        clip = self._transform(frames).to(self._dtype)
        return self.head.average_time(self.model.backbone(*self.model.select_pathways(clip)))


class _SceneScorer:
    """Features and head: from frames and boxes to scores."""

    def __init__(self, features: _TorchFeatures | _OpenVinoFeatures, device: torch.device) -> None:
        self.precision = features.precision
        self._features, self._device = features, device
        self._head = features.network.head  # on the device of the features: only scores travel

    @torch.inference_mode()
    def __call__(self, frames: NDArray[np.uint8], boxes: FloatArray) -> FloatArray:
        on_device = torch.from_numpy(boxes).to(self._device)
        logits = self._head.score_boxes(self._features(frames), on_device)
        scores: FloatArray = self._head.scores(logits).cpu().numpy()
        return scores


class _TorchFeatures:
    """The features in PyTorch."""

    def __init__(self, model: Recognizer3D, device: torch.device, precision: Precision) -> None:
        dtype = select_dtype(device, precision)
        self._device = device
        self.precision = str(dtype).removeprefix("torch.")
        self.network = SceneFeatures(prepare_for_inference(model, device, dtype), device, dtype)

    def __call__(self, frames: NDArray[np.uint8]) -> Tensor:
        features: Tensor = self.network(torch.from_numpy(frames).to(self._device))
        return features


class _OpenVinoFeatures:
    """The features in OpenVINO: a compiled network per height and width."""

    def __init__(self, model: Recognizer3D, precision: Precision, cache_dir: Path | None) -> None:
        cpu = torch.device("cpu")
        self.precision = select_cpu_precision(precision)
        prepared = prepare_for_inference(model, cpu, torch.float32)
        self.network = SceneFeatures(prepared, cpu, torch.float32).eval()
        self._description = f"scene {model.architecture.to_json()} {model.input_spec.to_json()}"
        self._cache_dir = cache_dir
        self._compiled: dict[tuple[int, ...], OpenVinoNetwork] = {}

    def __call__(self, frames: NDArray[np.uint8]) -> Tensor:
        compiled = self._compiled.pop(frames.shape, None)
        if compiled is None:
            while len(self._compiled) >= KEPT_SHAPES:
                del self._compiled[next(iter(self._compiled))]
            compiled = OpenVinoNetwork(
                self.network,
                (torch.from_numpy(frames),),
                description=self._description,
                precision=self.precision,
                cache_dir=self._cache_dir,
            )
        self._compiled[frames.shape] = compiled  # the newest is the last
        return torch.from_numpy(compiled(frames))
