"""Train a network to predict features of teachers from augmented views of the same clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.boxes import FloatArray
from models.inference.clip_transform import ClipTransform
from models.slowfast.recognizer3d import Recognizer3D
from training.crops.clip_choice import centre, choose_frames, end_range_s, time_grid
from training.crops.crop_cache import CachedTrack, Crops, read_crops
from training.fitting.augmentation import ViewSpec, augment
from training.pretraining.teachers import Teacher
from training.pretraining.whitening import Whitening

TARGET_SIZES = (128, 64)  # of whitened features: of a clip's frames, of its stream
WARM_UP_FRACTION = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationSpec:
    """How long and how fast."""

    steps: int
    batch_size: int = 8
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    max_gradient_norm: float = 3.0
    ema_decay: float = 0.99
    seed: int = 0


class ClipSet:
    """The one clip of every track that teachers and student see: the one in its middle.

    Args:
        tracks: of people and groups; their labels are not used.
        model: the student, for the input.
    """

    def __init__(self, tracks: Sequence[CachedTrack], model: Recognizer3D) -> None:
        self.tracks, self._spec, self._grid = tracks, model.input_spec, time_grid(model.input_spec)

    def __len__(self) -> int:
        return len(self.tracks)

    def wide(self, number: int) -> Crops:
        """Return uint8 (T, C, C, 3), as cached."""
        track = self.tracks[number]
        end_s = sum(end_range_s(track.pts_s, self._grid.span_s)) / 2
        rows = choose_frames(track.pts_s, end_s, self._grid)
        if rows is None:  # a gap in the track
            rows = np.linspace(0, len(track) - 1, self._grid.clip_len).round().astype(np.intp)
        return read_crops(track, rows)

    def seen(self, number: int) -> Crops:
        """Return uint8 (T, S, S, 3), as the pipeline shows it."""
        return centre(self.wide(number), self._spec.crop_size)


def teach(
    clips: ClipSet,
    teacher: Teacher,
    advanced: Callable[[int, int], None] = lambda done, total: None,
) -> FloatArray:
    """Return the features of all clips, float32 (N, D)."""
    found = []
    for number in range(len(clips)):
        advanced(number, len(clips))
        found.append(teacher.features(clips.seen(number)))
    advanced(len(clips), len(clips))
    return np.stack(found)


def distil(
    model: Recognizer3D,
    clips: ClipSet,
    features: Sequence[FloatArray],
    views: ViewSpec,
    spec: DistillationSpec,
) -> Generator[float, None, None]:
    """Train the backbone in place; the classifier is left alone.

    The loss is one minus the cosine between prediction and whitened feature, added up over the
    teachers. When the caller stops, the weights are the moving average up to then.

    Args:
        model: the student.
        clips: what it sees, augmented.
        features: per teacher float32 (N, D), of the clips as they are.
        views: how much its views differ.
        spec: how long and how fast.

    Yields:
        The loss of every step.
    """
    torch.manual_seed(spec.seed)
    rng = np.random.default_rng(spec.seed)
    targets = [
        torch.from_numpy(Whitening.fit(rows, size)(rows))
        for rows, size in zip(features, TARGET_SIZES * len(features), strict=False)
    ]
    width = sum(model.backbone.out_channels)
    heads = nn.ModuleList(nn.Linear(width, target.shape[1]) for target in targets)
    student = nn.ModuleList([model.backbone, heads])
    average = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    optimizer = torch.optim.AdamW(
        student.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay
    )
    transform = ClipTransform(model.input_spec)
    model.backbone.train()
    try:
        for step in range(spec.steps):
            for group in optimizer.param_groups:
                group["lr"] = spec.learning_rate * learning_rate_factor(step, spec.steps)
            chosen = rng.integers(len(clips), size=spec.batch_size)
            batch = transform(torch.from_numpy(_views(clips, chosen, model, views, rng)))
            pooled = _pooled(model, batch)
            losses = [
                1 - nn.functional.cosine_similarity(head(pooled), target[chosen]).mean()
                for head, target in zip(heads, targets, strict=True)
            ]
            loss = torch.stack(losses).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(student.parameters(), spec.max_gradient_norm)
            optimizer.step()
            _advance(average, model.backbone, min(spec.ema_decay, (step + 1) / (step + 10)))
            yield float(loss.detach())
    finally:
        model.backbone.load_state_dict(average)


def learning_rate_factor(step: int, steps: int) -> float:
    """Return the fraction of the learning rate: a linear warm-up, then half a cosine to zero."""
    warm_up = max(1.0, WARM_UP_FRACTION * steps)
    return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))


def _views(
    clips: ClipSet,
    chosen: Sequence[int] | np.ndarray,
    model: Recognizer3D,
    views: ViewSpec,
    rng: np.random.Generator,
) -> Crops:
    size = model.input_spec.crop_size
    shown = [
        augment(
            clips.wide(int(number)),
            size,
            views,
            rng,
            mirrored=bool(rng.random() < 0.5),
            behind=clips.wide(int(rng.integers(len(clips))))[:1] if views.mix_prob else None,
        )
        for number in chosen
    ]
    return np.stack(shown)


def _pooled(model: Recognizer3D, batch: Tensor) -> Tensor:
    features = model.backbone(*model.select_pathways(batch))
    return torch.cat([pathway.mean(dim=(2, 3, 4)) for pathway in features], dim=1)


@torch.no_grad()
def _advance(average: dict[str, Tensor], backbone: nn.Module, decay: float) -> None:
    for name, value in backbone.state_dict().items():
        if value.is_floating_point():
            average[name].mul_(decay).add_(value, alpha=1 - decay)
        else:  # the number of batches that a batch norm saw
            average[name].copy_(value)
