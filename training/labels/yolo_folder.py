"""Read images with labels in YOLO's format: images/NAME.jpg beside labels/NAME.txt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray, clip_to_image
from models.checkpoints.text_files import read_text

PERSON_CLASS = 0
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
_TOLERANCE = 1e-3  # of the image's sides, by which rounded boxes may leave it


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImage:
    """One image file and the people in it."""

    path: Path
    cxcywh: FloatArray  # float32 (N, 4) centre, width, height as fractions of the image's sides

    def read(self) -> NDArray[np.uint8]:
        """Decode the image, uint8 (H, W, 3) BGR, upright.

        Raises:
            ValueError: if it cannot be decoded.
        """
        image = cv2.imread(str(self.path), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"{self.path} is not an image that OpenCV can read")
        return np.asarray(image, np.uint8)

    def xyxy(self, width: int, height: int) -> FloatArray:
        """Scale the people's boxes to an image of this size, float32 (N, 4) pixels."""
        centre, sides = self.cxcywh[:, :2], self.cxcywh[:, 2:]
        fractions = np.concatenate([centre - sides / 2, centre + sides / 2], axis=1)
        return clip_to_image(fractions * np.array([width, height] * 2, np.float32), width, height)


def read_yolo_folder(folder: Path) -> list[LabelledImage]:
    """Read all images of a folder in order of name; without a label file, one shows no people.

    Raises:
        FileNotFoundError: if there are no images, or none of them has labels.
        ValueError: if a label cannot be read; file and line are named.
    """
    images, labels = folder / "images", folder / "labels"
    paths = sorted(p for p in images.glob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"no images in {images} ({', '.join(sorted(IMAGE_SUFFIXES))})")
    files = {path: labels / f"{path.stem}.txt" for path in paths}
    if not any(file.is_file() for file in files.values()):
        raise FileNotFoundError(
            f"none of the {len(paths)} images in {images} has a file in {labels}"
        )
    return [LabelledImage(path, read_people(file)) for path, file in files.items()]


def read_people(file: Path) -> FloatArray:
    """Read the boxes of class 0 of a label file, float32 (N, 4) as in `LabelledImage`.

    A missing file holds no people.

    Raises:
        ValueError: if a line is not a class and four numbers in 0..1; file and line are named.
    """
    lines = read_text(file).splitlines() if file.is_file() else []
    rows = [_parse(line, file, number) for number, line in enumerate(lines, 1) if line.strip()]
    people = [row[1:] for row in rows if row[0] == PERSON_CLASS]
    return np.array(people, np.float32).reshape(-1, 4)


def _parse(line: str, file: Path, number: int) -> list[float]:
    wanted = (
        "class, centre x, centre y, width, height as fractions of the image, with spaces between"
    )
    try:
        row = [float(field) for field in line.split()]
    except ValueError as error:
        raise ValueError(f"{file}, line {number}: {error}; wanted: {wanted}") from error
    if len(row) != 5 or row[0] != int(row[0]):
        raise ValueError(f"{file}, line {number}: {line.strip()!r} is not {wanted}")
    if not all(-_TOLERANCE <= side <= 1 + _TOLERANCE for side in row[1:]):
        raise ValueError(f"{file}, line {number}: {line.strip()!r} is outside of 0..1; {wanted}")
    return row
