"""Save and load recognizers: our own safetensors files, and checkpoints of three libraries."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from models.checkpoints.foreign_checkpoint import identify
from models.checkpoints.label_sets import choose_labels
from models.checkpoints.naming_schemes import OUR_HEAD, OURS, OURS_UNTIL_FORMAT_2, NamingScheme
from models.checkpoints.weight_files import CheckpointError, WeightFile, read_metadata, read_weights
from models.slowfast.architecture import Architecture
from models.slowfast.default_decision import DefaultDecision
from models.slowfast.input_spec import InputSpec, numbered_labels
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.training_record import TrainingRecord

__all__ = ["CheckpointError", "load_recognizer", "save_recognizer"]

_FORMAT = "behaviour-stream recognizer 3"
_SCHEMES = {_FORMAT: OURS, "behaviour-stream recognizer 2": OURS_UNTIL_FORMAT_2}

SHOWN_NAMES = 5  # of weights in one message

log = logging.getLogger(__name__)


def save_recognizer(path: Path, model: Recognizer3D, *, half: bool = False) -> None:
    """Write weights, architecture, input spec and what else the model knows of itself.

    An existing file is replaced in one step.

    Args:
        path: ends in .safetensors by convention.
        model: on any device.
        half: store convolutions and the linear layer as float16, which halves the file. Batch
            norm stays float32, and so does what leaves float16's range.

    Raises:
        ValueError: if a weight is not finite.
    """
    state = model.state_dict()
    wrong = [key for key, value in state.items() if not value.isfinite().all()]
    if wrong:
        raise ValueError(
            f"{path}: not written, weights are not finite: {', '.join(wrong[:SHOWN_NAMES])}"
        )
    tensors = {
        key: (_halved(value) if half and value.ndim > 1 else value).cpu().contiguous()
        for key, value in state.items()
    }
    metadata = {
        "format": _FORMAT,
        "architecture": model.architecture.to_json(),
        "input_spec": model.input_spec.to_json(),
    }
    if model.default_decision is not None:
        metadata["decision"] = model.default_decision.to_json()
    if model.training_record is not None:
        metadata["trained_on"] = model.training_record.to_json()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(path.suffix + ".part")
    unfinished.write_bytes(save(tensors, metadata))  # save_file would make it private to its owner
    unfinished.replace(path)


def write_decision(source: Path, target: Path, decision: DefaultDecision) -> None:
    """Write a weight file again with other thresholds and temperatures; the weights stay as is.

    Args:
        source: of this program or of another library.
        target: replaced in one step; may be the source.
        decision: of its labels.

    Raises:
        CheckpointError: if the source cannot be read.
    """
    metadata = read_metadata(source)
    if "format" not in metadata:
        model = load_recognizer(source)
        model.default_decision = decision
        save_recognizer(target, model)
        return
    file = read_weights(source)
    _own_description(file)  # refuses a format that this program does not know
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(target.suffix + ".part")
    unfinished.write_bytes(save(file.tensors, {**metadata, "decision": decision.to_json()}))
    unfinished.replace(target)


def _halved(value: Tensor) -> Tensor:
    half = value.half()
    return half if half.isfinite().all() else value


def load_recognizer(
    path: Path | str,
    *,
    num_classes: int | None = None,
    device: str | torch.device = "cpu",
    state_dict: str | None = None,
    labels: str | None = None,
) -> Recognizer3D:
    """Read a recognizer, as float32 in eval mode.

    The library that wrote the file and the network in it are identified by the names and shapes
    of its weights: our own safetensors, mmaction2 (.pth), PySlowFast (.pyth, or Caffe2's .pkl),
    pytorchvideo (.pyth).

    Args:
        path: of the file. A file `NAME.labels.txt` beside it may name the classes.
        num_classes: None for the classes of the file. Another number gives a fresh classifier for
            fine-tuning, with the labels class_0, class_1, ...
        device: of the loaded model.
        state_dict: key of the weights in a PyTorch file that holds several, such as averaged ones;
            None: the usual key.
        labels: of the classes: a file, the name of a data set in `LABEL_SETS`, or "none" for
            class_0, class_1, ...; None: those of the file, else a guess by their number.

    Raises:
        CheckpointError: if the file is missing, damaged, or of no SlowFast network, or if weights
            are missing, unexpected, of another shape or not finite; each is listed by its name in
            the file.
    """
    file = read_weights(Path(path))
    if "format" in file.metadata:
        if state_dict is not None:
            raise CheckpointError(f"{path}: holds one set of weights, and no {state_dict!r}")
        scheme, architecture, spec = _own_description(file)
        fast_first = True
        name: Callable[[str], str] = partial(scheme.name, roi=architecture.head == "roi")
    else:
        foreign = identify(file, state_dict, labels)
        file, architecture, spec = foreign.file, foreign.architecture, foreign.spec
        fast_first, name = foreign.fast_first, foreign.name
    decision, record = _defaults(file)
    own_labels = spec.labels
    if labels is not None:
        spec = _relabelled(file.path, spec, labels)
    names = dict(zip(own_labels, spec.labels, strict=True))
    fresh_head = num_classes is not None and num_classes != len(spec.labels)
    if num_classes is not None and fresh_head:
        log.info("%s: a fresh classifier for %d classes", file.path, num_classes)
        spec = spec.relabelled(numbered_labels(num_classes))
    model = Recognizer3D(architecture, spec)
    model.training_record = record
    model.default_decision = None if fresh_head or decision is None else decision.renamed(names)
    wanted = model.state_dict()
    tensors = _match(file, wanted, name, fresh_head=fresh_head)
    if not (fast_first or fresh_head):
        tensors[f"{OUR_HEAD}weight"] = _fast_first(
            tensors[f"{OUR_HEAD}weight"], model.backbone.out_channels[0]
        )
    model.load_state_dict(tensors)  # copies into float32, whatever the file stores
    _check_values(file.path, model, name)
    return model.to(device).eval()


def read_defaults(path: Path) -> tuple[DefaultDecision | None, TrainingRecord | None]:
    """Read thresholds and the record of training, without reading the weights.

    Returns:
        None for what the file does not have; files of other libraries have neither.

    Raises:
        CheckpointError: if there is no such file, or its description is damaged.
    """
    return _defaults(WeightFile(path, {}, read_metadata(path)))


def _relabelled(path: Path, spec: InputSpec, labels: str) -> InputSpec:
    try:
        return spec.relabelled(choose_labels(labels, len(spec.labels)))
    except ValueError as error:
        raise CheckpointError(f"{path}: labels: {error}") from error


def _own_description(file: WeightFile) -> tuple[NamingScheme, Architecture, InputSpec]:
    scheme = _SCHEMES.get(file.metadata["format"])
    if scheme is None:
        raise CheckpointError(
            f"{file.path}: its format is {file.metadata['format']!r}, this program reads "
            f"{' and '.join(map(repr, _SCHEMES))}"
        )
    try:
        architecture = Architecture.from_json(file.metadata["architecture"])
        return scheme, architecture, InputSpec.from_json(file.metadata["input_spec"])
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{file.path}: its description does not fit this program: {error}"
        ) from error


def _defaults(file: WeightFile) -> tuple[DefaultDecision | None, TrainingRecord | None]:
    """Read thresholds and the record of training; None where the file has none."""
    decision, record = file.metadata.get("decision"), file.metadata.get("trained_on")
    try:
        return (
            None if decision is None else DefaultDecision.from_json(decision),
            None if record is None else TrainingRecord.from_json(record),
        )
    except (ValueError, TypeError) as error:
        raise CheckpointError(
            f"{file.path}: its description does not fit this program: {error}"
        ) from error


def _match(
    file: WeightFile,
    wanted: Mapping[str, Tensor],
    name: Callable[[str], str],
    *,
    fresh_head: bool,
) -> dict[str, Tensor]:
    """Return the file's weights by our names, or list every one that does not fit."""
    matched: dict[str, Tensor] = {}
    misfits: list[str] = []
    theirs = {name(ours): ours for ours in wanted}
    for their_name, ours in theirs.items():
        found, expected = file.tensors.get(their_name), wanted[ours]
        if fresh_head and ours.startswith(OUR_HEAD):
            matched[ours] = expected
        elif found is None:
            # A count of training batches, which old PyTorch and Caffe2 did not keep.
            if not ours.endswith("num_batches_tracked"):
                misfits.append(f"missing {their_name}")
            matched[ours] = expected
        elif found.shape != expected.shape:
            shapes = f"{tuple(found.shape)}, expected {tuple(expected.shape)}"
            misfits.append(f"{their_name} has shape {shapes}")
        else:
            matched[ours] = found
    misfits += [f"unexpected {key}" for key in file.tensors if key not in theirs]
    if misfits:
        raise CheckpointError(
            f"{file.path}: {len(misfits)} weights do not fit; it was made by another version or is "
            f"a network that this program does not know. {'; '.join(misfits)}"
        )
    return matched


def _check_values(path: Path, model: Recognizer3D, name: Callable[[str], str]) -> None:
    """Refuse weights that are not finite, as float32, and variances below zero."""
    wrong = []
    for ours, values in model.state_dict().items():
        if not (finite := values.isfinite()).all():
            wrong.append(f"{name(ours)} ({int((~finite).sum())} of {values.numel()} values)")
        elif ours.endswith("running_var") and (values < 0).any():
            wrong.append(f"{name(ours)} (a variance below zero)")
    if wrong:
        more = f" and {len(wrong) - SHOWN_NAMES} more" if len(wrong) > SHOWN_NAMES else ""
        raise CheckpointError(
            f"{path}: weights are not finite numbers: {', '.join(wrong[:SHOWN_NAMES])}{more}. The "
            "training that wrote it diverged, or the file is damaged: take an earlier checkpoint"
        )


def _fast_first(weight: Tensor, slow_channels: int) -> Tensor:
    """Reorder the classifier's columns, [slow, fast] -> [fast, slow]."""
    return torch.cat([weight[:, slow_channels:], weight[:, :slow_channels]], dim=1)
