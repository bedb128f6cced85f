"""The input that a network was trained on, and the labels of its scores."""

from __future__ import annotations

import json
import math
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from models.slowfast.slowfast import SlowSampling

RgbTriple = tuple[float, float, float]
ColourOrder = Literal["rgb", "bgr"]

# Mean and deviation of the colours on 0..255. ImageNet's, as in mmaction2's configs:
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
# PySlowFast's DATA.MEAN and DATA.STD, there on 0..1:
FACEBOOK_MEAN = (0.45 * 255, 0.45 * 255, 0.45 * 255)
FACEBOOK_STD = (0.225 * 255, 0.225 * 255, 0.225 * 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """Shape, sampling and colours of a network's clips; saved with its weights.

    Raises:
        ValueError: naming the field, if a value cannot work.
    """

    name: str  # of the model, as it stands in events
    labels: tuple[str, ...]  # of the scores, in order
    multi_label: bool = False  # sigmoid scores, several may be true; else softmax
    clip_len: int  # frames of the fast pathway
    frame_interval: int  # frames at target_fps between two of them
    target_fps: float = 30.0
    crop_size: int  # side of a person crop, or the shorter side of a scene; pixels
    crop_margin: float = 0.25  # fraction of the box's longer side added on each side
    alpha: int  # T_fast / T_slow
    slow_sampling: SlowSampling = "stride"
    mean: RgbTriple  # on 0..255, in the order of the colours
    std: RgbTriple  # on 0..255, in the order of the colours
    colour_order: ColourOrder = "rgb"  # of the network's input
    group_labels: tuple[str, ...] = ()  # those of a group of people; all others are of one person
    group_margin: float = 0.12  # fraction of the longer side of the group's hull, on each side

    def __post_init__(self) -> None:
        for name in ("clip_len", "frame_interval", "target_fps", "crop_size", "alpha"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be above 0, got {value}")
        if self.clip_len % self.alpha:
            raise ValueError(
                f"clip_len {self.clip_len} must be a multiple of alpha {self.alpha}: "
                "the slow pathway sees every alpha-th frame"
            )
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must be there and differ, got {self.labels}")
        if not (math.isfinite(self.crop_margin) and self.crop_margin >= 0):
            raise ValueError(f"crop_margin must be 0 or more, got {self.crop_margin}")
        self._check_groups()
        self._check_colours()
        if self.slow_sampling not in get_args(SlowSampling):
            raise ValueError(
                f"slow_sampling must be one of {get_args(SlowSampling)}, got {self.slow_sampling!r}"
            )

    def _check_groups(self) -> None:
        unknown = [label for label in self.group_labels if label not in self.labels]
        if unknown or len(set(self.group_labels)) != len(self.group_labels):
            raise ValueError(
                f"group_labels must be among the labels and differ, got {self.group_labels}"
            )
        if not (math.isfinite(self.group_margin) and self.group_margin >= 0):
            raise ValueError(f"group_margin must be 0 or more, got {self.group_margin}")

    def _check_colours(self) -> None:
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(
                f"mean and std must have three values each, std above 0, "
                f"got {self.mean} and {self.std}"
            )
        if self.colour_order not in get_args(ColourOrder):
            raise ValueError(
                f"colour_order must be one of {get_args(ColourOrder)}, got {self.colour_order!r}"
            )

    @property
    def interval_s(self) -> float:
        """Seconds between two frames of the clip."""
        return self.frame_interval / self.target_fps

    def relabelled(self, labels: tuple[str, ...]) -> InputSpec:
        """Return this spec with other names; a group's label stays one if the number is the same.

        Raises:
            ValueError: if the labels do not differ.
        """
        renamed = dict(zip(self.labels, labels, strict=False))
        same_classes = len(labels) == len(self.labels)
        group_labels = (renamed[label] for label in self.group_labels) if same_classes else ()
        return replace(self, labels=labels, group_labels=tuple(group_labels))

    def to_json(self) -> str:
        """Encode as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> InputSpec:
        """Read what `to_json` wrote; a field that has a default may be missing.

        Raises:
            ValueError: if it is no JSON object, or a field is missing, unknown or wrong.
        """
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"an input spec must be a JSON object, got {text[:80]!r}")
        known = {field.name: field.default is MISSING for field in fields(cls)}
        unknown = values.keys() - known.keys()
        missing = {name for name, needed in known.items() if needed} - values.keys()
        if unknown or missing:
            raise ValueError(
                f"an input spec has the fields {sorted(known)}; not so: {sorted(unknown | missing)}"
            )
        return cls(**{name: _tuples(value) for name, value in values.items()})


def numbered_labels(num_classes: int) -> tuple[str, ...]:
    """Return labels for classes without names."""
    return tuple(f"class_{index}" for index in range(num_classes))


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
