"""Identify checkpoints of other libraries: their network, input and naming scheme."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from models.checkpoints.architecture_inference import UnknownNetworkError, infer_architecture
from models.checkpoints.caffe2_names import from_caffe2
from models.checkpoints.label_files import find_label_file, read_labels
from models.checkpoints.label_sets import guess_label_set, read_label_set
from models.checkpoints.naming_schemes import NamingScheme, find_naming_scheme
from models.checkpoints.state_dicts import NamedWeights, choose_network, find_networks
from models.checkpoints.training_config import SavedTrainingConfig, read_training_config
from models.checkpoints.weight_files import CheckpointError, WeightFile
from models.slowfast.architecture import Architecture
from models.slowfast.input_spec import InputSpec, numbered_labels

# Frames of the fast pathway and their distance at 30 fps, as nearly all public models have it.
USUAL_CLIP = (32, 2)
# SlowOnly 8x8; its 4x16 has the same weights' shapes.
SLOW_ONLY_CLIP = (8, 8)
# PySlowFast's and pytorchvideo's SlowFast 16x8 R101_50_50.
LONG_CLIP = (64, 2)
# EMAHook.before_save_checkpoint of mmengine swaps the two.
_MMENGINE_SWAPS = " (mmengine saves the averaged weights as state_dict, the others as ema_...)"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class ForeignCheckpoint:
    """A file of another library, identified."""

    file: WeightFile  # the network's weights alone
    scheme: NamingScheme
    architecture: Architecture
    spec: InputSpec

    def name(self, ours: str) -> str:
        """Translate our name of a weight into the file's."""
        return self.scheme.name(ours, roi=self.architecture.head == "roi")

    @property
    def fast_first(self) -> bool:
        """Whether the classifier's columns are [fast, slow] as ours; else [slow, fast]."""
        return self.scheme.fast_first and self.architecture.head == "clip"


def identify(
    file: WeightFile, state_dict: str | None = None, labels: str | None = None
) -> ForeignCheckpoint:
    """Identify library, network and input.

    Args:
        file: not written by this program.
        state_dict: key of the weights in a file with several; None: the usual one.
        labels: None: look for the names of its classes; else the caller has them.

    Raises:
        CheckpointError: if it is none of the known libraries, no SlowFast network, or has no such
            weights.
    """
    weights = _chosen_weights(file, state_dict)
    tensors = weights.tensors
    scheme = find_naming_scheme(tensors)
    assert scheme is not None  # that is how they were found
    if _is_caffe2(file):  # from before half a pixel's shift (DETECTION.ALIGNED in configs/AVA/c2)
        scheme = replace(scheme, roi_aligned=False)
    try:
        saved = read_training_config(file.extras)
        inferred = infer_architecture(tensors, scheme, saved)
        spec = _input_spec(inferred.architecture, inferred.num_classes, scheme, saved)
    except (UnknownNetworkError, ValueError) as error:
        raise CheckpointError(
            f"{file.path}: looks like a file of {scheme.library}, but {error}"
        ) from error
    if labels is None:
        boxes = inferred.architecture.head == "roi"
        spec = _with_labels(spec, file, saved, scheme, boxes)
    log.info("%s: %s of %s", file.path, spec.name, scheme.library)
    return ForeignCheckpoint(replace(file, tensors=tensors), scheme, inferred.architecture, spec)


def _chosen_weights(file: WeightFile, key: str | None) -> NamedWeights:
    caffe2 = _is_caffe2(file)
    state_dicts = {"": from_caffe2(file.tensors) if caffe2 else file.tensors}
    networks = find_networks(file.state_dicts or state_dicts)
    if not networks:
        first = ", ".join(list(file.tensors)[:3]) or "nothing"
        raise CheckpointError(
            f"{file.path}: holds no SlowFast network of mmaction2, PySlowFast, pytorchvideo or "
            f"this program; its weights are called {first}, ..."
        )
    try:
        chosen = choose_network(networks, key)
    except ValueError as error:
        raise CheckpointError(
            f"{file.path}: {error} (recognizer.state_dict, model.state_dict of train, "
            "convert --state-dict)"
        ) from error
    others = ", ".join(one.key or '""' for one in networks if one is not chosen)
    if others:
        log.info(
            "%s: the weights %s are used; it also has %s, which state_dict=... chooses%s",
            file.path,
            chosen.key or '""',
            others,
            _MMENGINE_SWAPS if "message_hub" in file.extras else "",
        )
    if chosen.ignored:
        log.info("%s: not of the network, not read: %s", file.path, ", ".join(chosen.ignored[:5]))
    return chosen


def _is_caffe2(file: WeightFile) -> bool:
    return any(name.startswith("res_conv1_bn") for name in file.tensors)


def _input_spec(
    architecture: Architecture, num_classes: int, scheme: NamingScheme, saved: SavedTrainingConfig
) -> InputSpec:
    clip_len, frame_interval = _usual_clip(architecture)
    boxes = architecture.head == "roi"
    clip_len = saved.clip_len or clip_len
    frame_interval = saved.frame_interval or frame_interval
    return InputSpec(
        name=_model_name(architecture, clip_len, frame_interval),
        labels=numbered_labels(num_classes),
        multi_label=boxes if saved.multi_label is None else saved.multi_label,
        clip_len=clip_len,
        frame_interval=frame_interval,
        target_fps=saved.target_fps or 30.0,
        # Scenes with boxes have a shorter side of 256 pixels in all three libraries.
        crop_size=256 if boxes else saved.crop_size or 224,
        alpha=architecture.alpha,
        slow_sampling=scheme.slow_sampling,
        mean=saved.mean or scheme.mean,
        std=saved.std or scheme.std,
        colour_order=saved.colour_order or "rgb",
    )


def _usual_clip(architecture: Architecture) -> tuple[int, int]:
    if architecture.fast_depth is None:
        return (4, 16) if architecture.head == "roi" else SLOW_ONLY_CLIP
    inflation = (architecture.slow_inflate, architecture.fast_inflate)
    partly_inflated = all(any(isinstance(stage, tuple) for stage in path) for path in inflation)
    return LONG_CLIP if partly_inflated and architecture.head == "clip" else USUAL_CLIP


def _model_name(architecture: Architecture, clip_len: int, frame_interval: int) -> str:
    """Name as in the paper: slow frames x their distance, e.g. slowfast_r50_8x8."""
    slow, fast = architecture.slow_depth, architecture.fast_depth
    depths = f"r{slow}" if fast in (None, slow) else f"r{slow}_r{fast}"
    kind = "slowonly" if fast is None else "slowfast"
    stride = architecture.slow_stride
    boxes = "_ava" if architecture.head == "roi" else ""
    return f"{kind}_{depths}_{clip_len // stride}x{stride * frame_interval}{boxes}"


def _with_labels(
    spec: InputSpec, file: WeightFile, saved: SavedTrainingConfig, scheme: NamingScheme, boxes: bool
) -> InputSpec:
    """Name the classes: by a file beside the weights, by the weights' file, or by their number."""
    count = len(spec.labels)
    beside = find_label_file(file.path)
    if beside is not None:
        try:
            return replace(spec, labels=read_labels(beside, count))
        except ValueError as error:
            raise CheckpointError(f"{file.path}: {error}") from error
    if saved.labels is not None and len(set(saved.labels)) == count:
        return replace(spec, labels=saved.labels)
    guessed = guess_label_set(count, boxes=boxes, library=scheme.library)
    if guessed is not None:
        log.warning(
            "%s: does not name its %d classes; by their number they are taken for those of %s. "
            "recognizer.labels, convert --labels, or a file %s.labels.txt beside it names others; "
            "recognizer.labels=none, none",
            file.path,
            count,
            guessed,
            file.path.stem,
        )
        return replace(spec, labels=read_label_set(guessed, count))
    log.warning(
        "%s: does not name its %d classes, which no data set known here has, or several; they are "
        "class_0, class_1, ... until recognizer.labels, or a file %s.labels.txt beside it names "
        "them, one per line",
        file.path,
        count,
        file.path.stem,
    )
    return spec
