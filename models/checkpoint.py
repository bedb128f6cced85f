"""Recognizers on disk: safetensors with the architecture's name and the input spec inside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.architectures import build_architecture
from models.input_spec import InputSpec
from models.recognizer3d import Recognizer3D

_FORMAT = "behaviour-stream recognizer 1"
_HEAD = "cls_head.fc_cls."


class CheckpointError(Exception):
    """A weight file that cannot be used; the message names it and says what to do."""


def save_recognizer(path: Path, model: Recognizer3D, *, half: bool = False) -> None:
    """Write weights, architecture and input spec; an existing file is replaced in one step.

    Args:
        path: ends in .safetensors by custom.
        model: on any device.
        half: store convolutions and the linear layer as float16, which halves the file. Batch
            norm stays float32: its variances may leave float16's range.
    """
    tensors = {
        key: (value.half() if half and value.ndim > 1 else value).cpu().contiguous()
        for key, value in model.state_dict().items()
    }
    metadata = {
        "format": _FORMAT,
        "architecture": model.architecture,
        "input_spec": model.input_spec.to_json(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(path.suffix + ".part")
    save_file(tensors, unfinished, metadata)
    unfinished.replace(path)


def load_recognizer(
    path: Path, *, num_classes: int | None = None, device: str | torch.device = "cpu"
) -> Recognizer3D:
    """Read what `save_recognizer` wrote, as float32 in eval mode.

    Args:
        path: of the file.
        num_classes: None for the classes of the file. Another number gives a fresh head for
            fine-tuning, with the labels class_0, class_1, ...
        device: where the model goes.

    Raises:
        CheckpointError: if the file is missing, damaged or not ours, or if a weight is missing,
            too many or of another shape; each is listed by name.
    """
    tensors, metadata = _read(path)
    try:
        spec = InputSpec.from_json(metadata["input_spec"])
        model = build_architecture(metadata["architecture"], num_classes or len(spec.labels))
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path}: its description does not fit this program: {error}"
        ) from error
    fresh_head = num_classes is not None and num_classes != len(spec.labels)
    if fresh_head:
        fresh = model.state_dict()
        tensors.update({key: fresh[key] for key in fresh if key.startswith(_HEAD)})
    else:
        model.input_spec = spec
        model.cls_head.multi_label = spec.multi_label
    _check_weights(path, tensors, model.state_dict())
    model.load_state_dict(tensors)  # copies into float32, whatever the file stores
    return model.to(device).eval()


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file; check the path of the weights")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(
            f"{path}: not a whole safetensors file ({error}); get or copy it again"
        ) from error
    if metadata.get("format") != _FORMAT:
        raise CheckpointError(
            f"{path}: not a recognizer of this program (its format is "
            f"{metadata.get('format')!r}, expected {_FORMAT!r}); write one with training/"
        )
    return tensors, metadata


def _check_weights(path: Path, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Raise with every key that does not fit, so that one look is enough."""
    misfits = [f"missing {key}" for key in wanted if key not in found]
    misfits += [f"unexpected {key}" for key in found if key not in wanted]
    misfits += [
        f"{key} has shape {tuple(found[key].shape)}, expected {tuple(wanted[key].shape)}"
        for key in wanted
        if key in found and found[key].shape != wanted[key].shape
    ]
    if misfits:
        raise CheckpointError(
            f"{path}: {len(misfits)} weights do not fit; it was made by another version or "
            f"architecture. {'; '.join(misfits)}"
        )
