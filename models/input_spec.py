"""What a recognizer wants to see, and what its scores are called."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

from models.slowfast import SlowSampling


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """Travels with the weights, so that a network is never fed what it was not trained on.

    Raises:
        ValueError: naming the field, if a value cannot work.
    """

    name: str  # of the model, as it stands in events
    labels: tuple[str, ...]  # of the scores, in order
    multi_label: bool = False  # sigmoid scores, several may be true; else softmax
    clip_len: int  # frames of the fast pathway
    frame_interval: int  # frames at target_fps between two of them
    target_fps: float = 30.0
    crop_size: int  # side of a person crop, pixels
    crop_margin: float = 0.25  # share of the box's longer side added on each side
    alpha: int  # T_fast / T_slow
    slow_sampling: SlowSampling = "stride"
    mean: tuple[float, float, float]  # RGB, on 0..255
    std: tuple[float, float, float]  # RGB, on 0..255

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
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(
                f"mean and std must have three values each, std above 0, "
                f"got {self.mean} and {self.std}"
            )
        if self.slow_sampling not in get_args(SlowSampling):
            raise ValueError(
                f"slow_sampling must be one of {get_args(SlowSampling)}, got {self.slow_sampling!r}"
            )

    @property
    def interval_s(self) -> float:
        """Seconds between two frames of the clip."""
        return self.frame_interval / self.target_fps

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> InputSpec:
        """Read what `to_json` wrote.

        Raises:
            ValueError: if it is no JSON object, or a field is missing, unknown or wrong.
        """
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"an input spec must be a JSON object, got {text[:80]!r}")
        known = {field.name for field in fields(cls)}
        if values.keys() != known:
            differing = sorted(values.keys() ^ known)
            raise ValueError(f"an input spec has the fields {sorted(known)}; not so: {differing}")
        return cls(**{name: _tuples(value) for name, value in values.items()})


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
