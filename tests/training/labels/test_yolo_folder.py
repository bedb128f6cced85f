"""Images with labels in YOLO's format."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.labels.yolo_folder import read_people, read_yolo_folder


def put(folder: Path, name: str, label: str | None) -> None:
    for part in ("images", "labels"):
        (folder / part).mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "images" / f"{name}.png"), np.full((50, 100, 3), 90, np.uint8))
    if label is not None:
        (folder / "labels" / f"{name}.txt").write_text(label)


def test_boxes_of_people_are_scaled_to_the_image(tmp_path: Path) -> None:
    put(tmp_path, "a", "0 0.5 0.5 0.2 0.4\n3 0.1 0.1 0.1 0.1\n")
    put(tmp_path, "b", None)
    first, second = read_yolo_folder(tmp_path)
    np.testing.assert_allclose(first.xyxy(100, 50), [[40, 15, 60, 35]], rtol=1e-6)
    assert first.read().shape == (50, 100, 3)
    assert second.xyxy(100, 50).shape == (0, 4)


def test_a_folder_without_images_or_labels_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no images"):
        read_yolo_folder(tmp_path)
    put(tmp_path, "a", None)
    with pytest.raises(FileNotFoundError, match="none of the 1 images"):
        read_yolo_folder(tmp_path)


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    put(tmp_path, "a", "0 0.5 0.5 0.2 0.4\n")
    (tmp_path / "images" / "a.png").write_bytes(b"no image")
    [labelled] = read_yolo_folder(tmp_path)
    with pytest.raises(ValueError, match=r"a\.png is not an image"):
        labelled.read()


@pytest.mark.parametrize("line", ["0 0.5 0.5 0.2", "0.5 0.5 0.5 0.2 0.4", "0 1.5 0.5 0.2 0.4", "a"])
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.txt").write_text(f"0 0.5 0.5 0.2 0.4\n{line}\n")
    with pytest.raises(ValueError, match=r"a\.txt, line 2"):
        read_people(tmp_path / "a.txt")
