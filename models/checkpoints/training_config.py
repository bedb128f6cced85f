"""Read the training configuration that libraries save beside the weights of a checkpoint.

Shapes do not show alpha, the length of a clip or the names of the classes. PySlowFast saves its
configuration as YAML, mmaction2 as Python source. Both are read as text and never executed.
"""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from models.slowfast.input_spec import ColourOrder, RgbTriple
from models.slowfast.non_local import Instantiation
from models.slowfast.residual_blocks import Kernel3d

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedTrainingConfig:
    """What the file states; None for what it does not."""

    network: str | None = None  # MODEL.ARCH of PySlowFast: slowfast, slow, i3d, ...
    alpha: int | None = None
    resample_rate: int | None = None
    clip_len: int | None = None
    frame_interval: int | None = None
    target_fps: float | None = None
    crop_size: int | None = None
    mean: RgbTriple | None = None
    std: RgbTriple | None = None
    colour_order: ColourOrder | None = None
    multi_label: bool | None = None
    boxes: bool | None = None  # a detection network, one prediction per box (AVA)
    roi_aligned: bool | None = None
    non_local_pool: Kernel3d | None = None
    non_local_instantiation: Instantiation | None = None
    labels: tuple[str, ...] | None = None


def read_training_config(extras: Mapping[str, Any]) -> SavedTrainingConfig:
    """Find the training configuration in a PyTorch file.

    Args:
        extras: what the file holds beside the weights.

    Raises:
        ValueError: if it describes a network that cannot be built here.
    """
    meta = extras.get("meta")
    if isinstance(extras.get("cfg"), str):
        return _pyslowfast(extras["cfg"])
    return _mmaction2(meta) if isinstance(meta, Mapping) else SavedTrainingConfig()


def _pyslowfast(text: str) -> SavedTrainingConfig:
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError:
        log.warning("the checkpoint's configuration is not plain YAML and is ignored")
        return SavedTrainingConfig()
    if not isinstance(config, dict):
        return SavedTrainingConfig()
    data, model = _section(config, "DATA"), _section(config, "MODEL")
    detection = _section(config, "DETECTION")
    network = model.get("ARCH")
    two_pathways = network == "slowfast"
    boxes = detection.get("ENABLE")
    # Two keys for one thing: the first is for data sets of clips, the second for AVA.
    bgr = _section(config, "AVA").get("BGR") if boxes else data.get("REVERSE_INPUT_CHANNEL")
    non_local = _section(config, "NONLOCAL")
    return SavedTrainingConfig(
        network=network,
        alpha=_section(config, "SLOWFAST").get("ALPHA") if two_pathways else None,
        clip_len=data.get("NUM_FRAMES"),
        frame_interval=data.get("SAMPLING_RATE"),
        target_fps=data.get("TARGET_FPS"),
        crop_size=data.get("TRAIN_CROP_SIZE"),
        mean=_of_255(data.get("MEAN")),
        std=_of_255(data.get("STD")),
        colour_order=None if bgr is None else ("bgr" if bgr else "rgb"),
        multi_label=model.get("HEAD_ACT") == "sigmoid" if "HEAD_ACT" in model else None,
        boxes=boxes,
        roi_aligned=detection.get("ALIGNED"),
        non_local_pool=_non_local_pool(non_local),
        non_local_instantiation=non_local.get("INSTANTIATION"),
    )


def _non_local_pool(section: Mapping[str, Any]) -> Kernel3d | None:
    """Return the pooling of the slow pathway's non-local blocks, equal in all stages with any."""
    # Per stage and pathway: the blocks, the groups of frames they are confined to, the pooling.
    location, group, pool = (section.get(name) for name in ("LOCATION", "GROUP", "POOL"))
    stages = [stage for stage, at in enumerate(location or []) if at[0]]
    if group and any(group[stage][0] > 1 for stage in stages):
        raise ValueError("its non-local blocks are confined to groups of frames (NONLOCAL.GROUP)")
    pools = {tuple(pool[stage][0]) for stage in stages} if pool else set()
    if len(pools) > 1:
        raise ValueError(f"its non-local blocks pool differently: NONLOCAL.POOL has {pools}")
    return pools.pop() if pools else None


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, Mapping) else {}


def _of_255(values: Any) -> RgbTriple | None:
    if not isinstance(values, list) or len(values) != 3:
        return None
    red, green, blue = (255.0 * value for value in values)
    return red, green, blue


def _mmaction2(meta: Mapping[str, Any]) -> SavedTrainingConfig:
    config = meta.get("config", meta.get("cfg"))
    values = dict(_named_constants(config)) if isinstance(config, str) else {}
    dataset = meta.get("dataset_meta")
    labels = meta.get("CLASSES") or (
        dataset.get("classes") if isinstance(dataset, Mapping) else None
    )
    return SavedTrainingConfig(
        alpha=_integer(values, "speed_ratio"),
        resample_rate=_integer(values, "resample_rate"),
        clip_len=_integer(values, "clip_len"),
        frame_interval=_integer(values, "frame_interval"),
        multi_label=values.get("multi_class"),
        labels=tuple(map(str, labels)) if isinstance(labels, Sequence) else None,
    )


def _integer(values: Mapping[str, Any], name: str) -> int | None:
    value = values.get(name)
    return value if isinstance(value, int) else None


def _named_constants(text: str) -> Iterator[tuple[str, Any]]:
    """Yield every `name=constant` and `"name": constant` of Python text, the first of equal names.

    mmaction2's configurations begin with the backbone and the training clips.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        log.warning("the checkpoint's configuration cannot be read and is ignored")
        return
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant) and node.arg:
            found.setdefault(node.arg, node.value.value)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                    found.setdefault(str(key.value), value.value)
    yield from found.items()
