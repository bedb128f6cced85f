"""Images that the compact detector is trained on, those that are held out, and their cache.

Held out are whole recordings: neighbouring frames of one video look alike.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.sources.file_decoder import VideoReader
from training.labels.damaged_videos import frames_before_damage

Image = NDArray[np.uint8]  # (H, W, 3) BGR

LONGER_SIDE = 640  # pixels of a cached image; what the teacher was trained at
HELD_OUT_GROUPS = frozenset({"7", "12", "24", "39", "41"})  # of fight_surv: source videos
PETS_FRAMES = 560  # of PETS09-S2L1 to train on; the other 235 are for the score
_PARTS = (  # folder, pattern, images of each video, probability of a draw
    ("fight_surv", "*/*.mp4", 8, 0.36),
    ("coco_train128", "images/*.jpg", 1, 0.30),
    ("ut_interaction", "*/*.avi", 8, 0.10),
    ("daily_living", "*/*.mp4", 30, 0.08),
    ("video", "one_by_one.mp4", 140, 0.08),
    ("video", "pets09_s2l1.avi", 80, 0.08),
)


@dataclass(frozen=True, slots=True)
class FrameSource:
    """An image, or a video from which images are taken at equal distances."""

    part: str  # the data set; draws are shared between data sets
    path: Path
    count: int  # images to take
    draw_prob: float  # of the whole data set
    last_frame: int | None = None  # frames from this index on are held out


def list_sources(data: Path) -> list[FrameSource]:
    """List the training set in a fixed order; what is held out is not in it.

    Args:
        data: the folder with fight_surv, coco_train128, ut_interaction, daily_living and video.

    Raises:
        FileNotFoundError: if a data set is missing; the message names it.
    """
    held_out = set(held_out_clips(data)) | set(held_out_images(data))
    sources = []
    for folder, pattern, count, draw_prob in _PARTS:
        paths = sorted((data / folder).glob(pattern))
        if not paths:
            raise FileNotFoundError(f"{data / folder} has no {pattern}; --data is the data folder")
        name = folder if folder != "video" else Path(pattern).stem
        last = PETS_FRAMES if name == "pets09_s2l1" else None
        sources += [
            FrameSource(name, path, count, draw_prob, last)
            for path in paths
            if path not in held_out
        ]
    return sources


def held_out_images(data: Path) -> list[Path]:
    """List every second image of COCO, from the second in order of name."""
    return sorted((data / "coco_train128/images").glob("*.jpg"))[1::2]


def held_out_clips(data: Path) -> list[Path]:
    """List the clips of the held-out cameras of fight_surv.

    Raises:
        FileNotFoundError: if there is no fight_surv/labels.csv.
    """
    with (data / "fight_surv/labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    clips = [row["path"] for row in rows if row["group"] in HELD_OUT_GROUPS]
    return [data / "fight_surv" / path for path in clips]


def take_frames(source: FrameSource) -> Iterator[Image]:
    """Decode a source; uint8 (H, W, 3) BGR, longer side at most LONGER_SIDE pixels.

    Raises:
        ValueError: if an image file cannot be read.
        pipeline.sources.file_decoder.DecodeError: if no frame of a video can be decoded.
    """
    if source.path.suffix == ".jpg":
        image = cv2.imread(str(source.path))
        if image is None:
            raise ValueError(f"{source.path} is not a readable image")
        yield shrink(np.asarray(image, np.uint8))
        return
    with closing(VideoReader(source.path)) as reader:
        frames = source.last_frame or reader.info.frames or source.count
        wanted = set(np.linspace(0, frames - 1, source.count).round().astype(int).tolist())
        for index, decoded in enumerate(frames_before_damage(reader, source.path)):
            if index in wanted:
                yield shrink(decoded.image)


def shrink(image: Image) -> Image:
    """Scale an image down to LONGER_SIDE pixels; smaller ones are left as they are."""
    height, width = image.shape[:2]
    zoom = LONGER_SIDE / max(height, width)
    if zoom >= 1:
        return image
    size = (round(width * zoom), round(height * zoom))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


class FrameCache:
    """Decoded images on disk, drawn at random: a data set by its probability, then an image.

    Args:
        folder: what `fill` wrote; about two gigabytes for the data it was made for.

    Raises:
        FileNotFoundError: if it is not there or empty.
    """

    def __init__(self, folder: Path) -> None:
        probs = np.loadtxt(folder / "shares.txt", dtype=str, ndmin=2)
        self._parts = [sorted((folder / part).glob("*.npy")) for part, _ in probs]
        weight = probs[:, 1].astype(float)
        self._probs = weight / weight.sum()

    @staticmethod
    def fill(folder: Path, sources: list[FrameSource]) -> Iterator[int]:
        """Decode all sources into a folder; yields the number of images so far.

        What a broken-off call has written is decoded again.
        """
        count = 0
        for number, source in enumerate(sources):
            (folder / source.part).mkdir(parents=True, exist_ok=True)
            for index, image in enumerate(take_frames(source)):
                np.save(folder / source.part / f"{number:04d}_{index:03d}.npy", image)
                count += 1
            yield count
        probs = {source.part: source.draw_prob for source in sources}
        (folder / "shares.txt").write_text("".join(f"{p} {s}\n" for p, s in probs.items()))

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def draw(self, rng: np.random.Generator) -> Image:
        """Draw one image, uint8 (H, W, 3) BGR, read-only."""
        part = self._parts[rng.choice(len(self._parts), p=self._probs)]
        image: Image = np.load(part[rng.integers(len(part))], mmap_mode="r")
        return image
