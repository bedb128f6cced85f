"""The numbers that define a network, and nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from models.slowfast.non_local import BlocksPerStage, Instantiation, NonLocal
from models.slowfast.residual_blocks import Kernel3d
from models.slowfast.resnet3d import Pathway, PerStage
from models.slowfast.slowfast import Lateral

HeadKind = Literal["clip", "roi"]
SpatialPooling = Literal["avg", "max"]
Inflation = tuple[int | tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The numbers of a network; the defaults are SlowFast R50 4x16 of mmaction2.

    Raises:
        ValueError: naming the field, if a value cannot work.
    """

    slow_depth: int = 50
    fast_depth: int | None = 50  # None: the slow pathway alone (SlowOnly)
    base_channels: int = 64  # of the slow stem
    alpha: int = 8  # T_fast / T_slow (mmaction2: speed_ratio); 1 for SlowOnly
    beta_inv: int = 8  # C_slow / C_fast, 1 / beta of the paper (mmaction2: channel_ratio)
    resample_rate: int | None = None  # clip frames per slow frame; None: alpha
    fusion_kernel: int = 5
    fusion_ratio: int = 2
    lateral_norm: bool = False
    slow_conv1_kernel: Kernel3d = (1, 7, 7)
    fast_conv1_kernel: Kernel3d = (5, 7, 7)
    slow_inflate: Inflation = (0, 0, 1, 1)
    fast_inflate: Inflation = (1, 1, 1, 1)
    spatial_strides: PerStage = (1, 2, 2, 2)
    dilations: PerStage = (1, 1, 1, 1)
    slow_non_local_at: BlocksPerStage = ((), (), (), ())  # per stage, behind which blocks
    non_local_pool: Kernel3d = (1, 2, 2)
    non_local_instantiation: Instantiation = "dot_product"
    head: HeadKind = "clip"  # one prediction per clip, or one per box in it
    spatial_type: SpatialPooling = "avg"  # how a clip's features are pooled; a box's: avg, then max
    roi_resolution: int = 7  # cells per side of a box
    roi_aligned: bool = True  # half a pixel's shift, see torchvision.ops.roi_align

    def __post_init__(self) -> None:
        for name in ("base_channels", "alpha", "beta_inv", "fusion_kernel", "fusion_ratio"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.fast_depth is None:
            if self.alpha != 1:
                raise ValueError(f"alpha is 1 without a fast pathway, not {self.alpha}")
        elif self.base_channels % self.beta_inv:
            raise ValueError(
                f"beta_inv {self.beta_inv} does not divide base_channels {self.base_channels}"
            )
        if self.slow_stride % self.alpha:
            raise ValueError(
                f"alpha {self.alpha} does not divide resample_rate {self.resample_rate}"
            )
        self._check_head()

    def _check_head(self) -> None:
        if self.head not in get_args(HeadKind):
            raise ValueError(f"head must be one of {get_args(HeadKind)}, got {self.head!r}")
        if self.spatial_type not in get_args(SpatialPooling):
            raise ValueError(
                f"spatial_type must be one of {get_args(SpatialPooling)}, got {self.spatial_type!r}"
            )
        if self.head == "roi" and self.spatial_type != "avg":
            raise ValueError("spatial_type is avg for a RoI head, which takes the maximum per box")

    @property
    def slow_stride(self) -> int:
        """Frames of the clip per frame that the slow pathway sees (tau in the paper)."""
        return self.alpha if self.resample_rate is None else self.resample_rate

    @property
    def fast_stride(self) -> int:
        """Frames of the clip per frame that the fast pathway sees; 1 almost always."""
        return self.slow_stride // self.alpha

    @property
    def feature_stride(self) -> int:
        """Pixels of the clip per cell of the last feature map: 32, or 16 for boxes."""
        res2, res3, res4, res5 = self.spatial_strides
        return 4 * res2 * res3 * res4 * res5  # the stem divides by 4

    def slow_pathway(self) -> Pathway:
        """Return the numbers of the pathway of few frames."""
        return Pathway(
            depth=self.slow_depth,
            base_channels=self.base_channels,
            stem_kernel=self.slow_conv1_kernel,
            inflate=self.slow_inflate,
            spatial_strides=self.spatial_strides,
            dilations=self.dilations,
            non_local=self._non_local(),
        )

    def fast_pathway(self) -> Pathway | None:
        """Return the numbers of the pathway of all frames; None for SlowOnly."""
        if self.fast_depth is None:
            return None
        return Pathway(
            depth=self.fast_depth,
            base_channels=self.base_channels // self.beta_inv,
            stem_kernel=self.fast_conv1_kernel,
            inflate=self.fast_inflate,
            spatial_strides=self.spatial_strides,
            dilations=self.dilations,
        )

    def lateral(self) -> Lateral:
        """Return the numbers of the fast-to-slow connections."""
        return Lateral(self.alpha, self.fusion_kernel, self.fusion_ratio, self.lateral_norm)

    def _non_local(self) -> NonLocal | None:
        if not any(self.slow_non_local_at):
            return None
        return NonLocal(self.slow_non_local_at, self.non_local_pool, self.non_local_instantiation)

    def to_json(self) -> str:
        """Encode as one line of JSON; the fields' names are part of the file format."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """Read what `to_json` wrote; a missing field has its default.

        Raises:
            ValueError: if it is no JSON object, or a field is unknown or wrong.
        """
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"an architecture must be a JSON object, got {text[:80]!r}")
        unknown = sorted(values.keys() - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"an architecture has no fields {unknown}")
        return cls(**{name: _tuples(value) for name, value in values.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
