"""Made tracks of people, made cache entries, small videos and a network for small crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import numpy as np
import torch
from lightning_fabric import Fabric

from models.detections import Detections
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.zoo import slowfast_compact
from pipeline.types import Frame, TrackedPerson
from training.crops.crop_cache import CachedTrack, CutSpec, encode_crop
from training.crops.person_tracks import PersonTrack
from training.labels.samples import Sample

CROP = 32
SMALL = CutSpec(fps=15.0, crop_size=CROP, crop_margin=0.25, span_s=2.0, min_track_fraction=0.6)


def path_of(
    speed: float, *, count: int = 40, fps: float = 10.0, start_x: float = 0.0, height: float = 100.0
) -> PersonTrack:
    """A person who crosses the image at `speed` body heights per second."""
    x = start_x + np.arange(count) / fps * speed * height
    boxes = np.stack([x, np.full(count, 50.0), x + 40, np.full(count, 50.0 + height)], axis=1)
    return PersonTrack(np.arange(count), boxes.astype(np.float32))


def cached(
    folder: Path,
    labels: str | Sequence[str],
    level: int,
    *,
    count: int = 30,
    fps: float = 10.0,
    group: str | None = None,
    whole_frame: bool = False,
) -> CachedTrack:
    """Crops of one grey level with some noise, three seconds by default."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = (labels,) if isinstance(labels, str) else tuple(labels)
    rng = np.random.default_rng(level)
    noise = rng.integers(0, 20, (count, SMALL.cache_size, SMALL.cache_size, 3))
    pieces = [encode_crop((level + each).astype(np.uint8)) for each in noise]
    file = folder / f"{'-'.join(labels)}-{level}.jpegs"
    file.write_bytes(b"".join(pieces))
    lengths = np.array([len(piece) for piece in pieces], np.int64)
    sample = Sample(Path(f"{file.stem}.mp4"), labels, group=group, origin=f"labels.csv:{level}")
    times = np.arange(count) / fps
    return CachedTrack(
        sample, file, times, np.cumsum(lengths) - lengths, lengths, whole_frame=whole_frame
    )


def write_scene(
    path: Path,
    *,
    level: int = 120,
    seconds: float = 3.0,
    fps: int = 10,
    wh: tuple[int, int] = (96, 64),
    step: int = 0,
) -> Path:
    """A bright square that moves `step` pixels a frame before a grey background."""
    width, height = wh
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(round(seconds * fps)):
            image = np.full((height, width, 3), level, np.uint8)
            left = (16 + step * index) % (width - 24)
            image[16:48, left : left + 16] = 255 - level // 2
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def small_model(*labels: str, multi_label: bool = False) -> Recognizer3D:
    """An untrained compact network that takes crops of 32 pixels; stand and walk by default."""
    torch.manual_seed(0)
    names = labels or ("stand", "walk")
    model = slowfast_compact(len(names))
    spec = replace(model.input_spec, labels=names, crop_size=CROP, multi_label=multi_label)
    return Recognizer3D(model.architecture, spec)


class FixedDetector:
    """Finds the same people in every frame and counts its calls."""

    def __init__(self, *boxes: Sequence[float]) -> None:
        self.calls = 0
        self._xyxy = np.array(boxes, np.float32).reshape(-1, 4)

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        self.calls += len(images)
        confidence = np.full(len(self._xyxy), 0.9, np.float32)
        return [Detections(self._xyxy, confidence) for _ in images]


class InOrder:
    """A tracker for people who never move: the n-th box is person n."""

    def update(
        self, frame: Frame, detections: Detections
    ) -> tuple[tuple[TrackedPerson, ...], tuple[int, ...]]:
        rows = enumerate(zip(detections.xyxy, detections.confidence, strict=True))
        return tuple(TrackedPerson(n, box, float(score)) for n, (box, score) in rows), ()


@dataclass
class MadePeople:
    """A `PeopleFinder` of stand-ins."""

    detector: FixedDetector = field(default_factory=FixedDetector)
    identity: str = "made"
    new_tracker = InOrder


def tiny_model(*labels: str, multi_label: bool = False) -> Recognizer3D:
    """Like `small_model`, with a fourth of the channels."""
    names = labels or ("stand", "walk")
    torch.manual_seed(0)
    spec = small_model(*names, multi_label=multi_label).input_spec
    architecture = replace(slowfast_compact(2).architecture, base_channels=8)
    return Recognizer3D(architecture, spec)


def float32_fabric() -> Fabric:
    """One process on the CPU."""
    return Fabric(accelerator="cpu", devices=1, precision="32-true")
