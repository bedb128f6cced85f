"""Augmented clips with their labels, each a function of seed, epoch and position alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from models.slowfast.input_spec import InputSpec
from training.crops.clip_choice import choose_frames, end_range_s, time_grid
from training.crops.crop_cache import CachedTrack, Crops, read_crops
from training.fitting.augmentation import ViewSpec, augment

Place = tuple[int, int, int]  # epoch, position in it, number of the track
Batch = tuple[Tensor, Tensor]  # uint8 (B, T, S, S, 3) BGR; int64 (B,) or float32 (B, num_classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorRule:
    """When left and right may change places.

    Raises:
        ValueError: if a label is mirrored and forbids it.
    """

    flip: bool = False
    never: frozenset[str] = frozenset()  # labels for which left and right matter
    becomes: Mapping[str, str] = field(default_factory=dict)  # both ways

    def __post_init__(self) -> None:
        both = sorted(self.never & self.becomes.keys())
        if both:
            raise ValueError(f"{', '.join(both)}: either never_flip or mirror_labels, not both")

    @classmethod
    def of(cls, *, flip: bool, never: Sequence[str], becomes: Mapping[str, str]) -> MirrorRule:
        """Build the rule from the configuration, which names each pair once."""
        return cls(
            flip=flip,
            never=frozenset(never),
            becomes={**becomes, **{right: left for left, right in becomes.items()}},
        )

    def allows(self, labels: Sequence[str]) -> bool:
        """Return whether a clip with these labels may be mirrored."""
        return self.flip and not self.never.intersection(labels)

    def mirrored(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return the labels of the mirrored clip."""
        return tuple(self.becomes.get(label, label) for label in labels)


class ClipDataset(Dataset[tuple[Tensor, Tensor]]):
    """Clips by place; the same place gives the same view, in any process.

    Args:
        tracks: to show.
        spec: of the network.
        views: how much views differ.
        speed: clips are shown this share faster or slower at most.
        mirror: when they may be mirrored.
        seed: of the views.
    """

    def __init__(
        self,
        tracks: Sequence[CachedTrack],
        spec: InputSpec,
        *,
        views: ViewSpec,
        speed: float,
        mirror: MirrorRule,
        seed: int,
    ) -> None:
        self._tracks, self._spec, self._grid = tracks, spec, time_grid(spec)
        self._views, self._speed, self._mirror, self._seed = views, speed, mirror, seed

    def __getitem__(self, place: Place) -> tuple[Tensor, Tensor]:
        epoch, position, number = place
        rng = np.random.default_rng([self._seed, epoch, position])
        track = self._tracks[number]
        labels = track.sample.labels
        mirrored = self._mirror.allows(labels) and rng.random() < 0.5
        if mirrored:
            labels = self._mirror.mirrored(labels)
        crops = read_crops(track, self._rows(track, rng))
        view = augment(
            crops,
            self._spec.crop_size,
            self._views,
            rng,
            mirrored=mirrored,
            behind=self._other_image(rng) if self._views.mix_prob else None,
        )
        return torch.from_numpy(view), target_of(labels, self._spec)

    def _other_image(self, rng: np.random.Generator) -> Crops:
        """Read one crop of any clip: uint8 (1, C, C, 3)."""
        other = self._tracks[int(rng.integers(len(self._tracks)))]
        return read_crops(other, [int(rng.integers(len(other)))])

    def _rows(self, track: CachedTrack, rng: np.random.Generator) -> np.ndarray:
        end_s = rng.uniform(*end_range_s(track.pts_s, self._grid.span_s))
        speed = 1 + rng.uniform(-self._speed, self._speed)
        rows = choose_frames(track.pts_s, end_s, self._grid, speed)
        if rows is None:  # a gap: its nearest crops are better than none
            rows = choose_frames(track.pts_s, end_s, replace(self._grid, max_gap_s=np.inf), speed)
        assert rows is not None
        return rows


def target_of(labels: Sequence[str], spec: InputSpec) -> Tensor:
    """Encode labels as int64 (), or several as float32 (num_classes,) of zeros and ones."""
    if not spec.multi_label:
        return torch.tensor(spec.labels.index(labels[0]))
    target = torch.zeros(len(spec.labels))
    target[[spec.labels.index(label) for label in labels]] = 1.0
    return target
