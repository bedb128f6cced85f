"""Average precision on cases whose value is plain, and folders in YOLO's format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from models.detections import Detections
from training.metrics.detection import (
    DetectionScore,
    TruePeople,
    evaluate_detection,
    score_detections,
)

PERSON = (10.0, 20.0, 50.0, 100.0)
NOWHERE_NEAR = (70.0, 0.0, 90.0, 30.0)
WIDTH, HEIGHT = 100, 200

Box = tuple[float, float, float, float]


def true(*boxes: Box, ignored: int = 0) -> TruePeople:
    """People in one image, the last `ignored` of them not to be counted."""
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    return TruePeople(xyxy, np.arange(len(boxes)) < len(boxes) - ignored)


def predicted(*boxes: tuple[Box, float]) -> Detections:
    xyxy = np.array([box for box, _ in boxes], np.float32).reshape(-1, 4)
    return Detections(xyxy, np.array([confidence for _, confidence in boxes], np.float32))


def score(truth: TruePeople, found: Detections) -> DetectionScore:
    return score_detections([truth], [found], confidence=0.5)


def test_the_truth_itself_scores_one() -> None:
    perfect = score(true(PERSON, NOWHERE_NEAR), predicted((PERSON, 0.9), (NOWHERE_NEAR, 0.8)))
    assert (perfect.ap50, perfect.ap50_95) == pytest.approx((1, 1))
    assert (perfect.recall, perfect.precision) == (1, 1)
    assert (perfect.images, perfect.people, perfect.boxes) == (1, 2, 2)


def test_no_box_at_all_scores_zero() -> None:
    nothing = score(true(PERSON), Detections.empty())
    assert (nothing.ap50, nothing.recall, nothing.precision) == (0, 0, 0)


def test_a_wrong_box_ahead_of_the_right_one_halves_the_average_precision() -> None:
    assert score(true(PERSON), predicted((NOWHERE_NEAR, 0.9), (PERSON, 0.8))).ap50 == pytest.approx(
        0.5
    )


def test_a_wrong_box_behind_the_right_one_costs_precision_alone() -> None:
    found = score(true(PERSON), predicted((PERSON, 0.9), (NOWHERE_NEAR, 0.8)))
    assert (found.ap50, found.precision) == pytest.approx((1, 0.5))


def test_one_of_two_people_found_is_half_of_the_recall() -> None:
    found = score(true(PERSON, NOWHERE_NEAR), predicted((PERSON, 0.9)))
    assert found.recall == 0.5
    assert found.ap50 == pytest.approx(51 / 101)  # recall 0.00 to 0.50 of the 101 points


def test_a_loose_box_counts_up_to_its_overlap() -> None:
    three_fifths = (10.0, 20.0, 50.0, 20.0 + 0.62 * 80)  # IoU 0.62
    found = score(true(PERSON), predicted((three_fifths, 0.9)))
    assert found.ap50 == pytest.approx(1)
    assert found.ap50_95 == pytest.approx(0.3)  # of ten thresholds 0.50, 0.55 and 0.60


def test_boxes_below_the_confidence_count_for_the_average_precision_alone() -> None:
    found = score(true(PERSON), predicted((PERSON, 0.3)))
    assert found.ap50 == pytest.approx(1)
    assert (found.recall, found.precision, found.boxes) == (0, 0, 0)


@pytest.mark.parametrize("is_found", [True, False])
def test_ignored_people_need_not_be_found_and_may_be(is_found: bool) -> None:
    boxes = [(PERSON, 0.9), (NOWHERE_NEAR, 0.95)][: 1 + is_found]
    found = score(true(PERSON, NOWHERE_NEAR, ignored=1), predicted(*boxes))
    assert (found.ap50, found.recall, found.precision) == pytest.approx((1, 1, 1))
    assert found.people == 1


def test_images_do_not_mix() -> None:
    swapped = score_detections(
        [true(PERSON), true(NOWHERE_NEAR)],
        [predicted((NOWHERE_NEAR, 0.9)), predicted((PERSON, 0.9))],
        confidence=0.5,
    )
    assert (swapped.ap50, swapped.recall) == (0, 0)


def test_ground_truth_without_people_is_an_error_and_not_a_score() -> None:
    with pytest.raises(ValueError, match="0 people"):
        score(true(), predicted((PERSON, 0.9)))


def test_a_score_can_be_printed_and_written(capsys: pytest.CaptureFixture[str]) -> None:
    found = score(true(PERSON), predicted((PERSON, 0.9)))
    Console(width=120).print(found.to_table("somewhere"))
    assert "recall at 0.5" in capsys.readouterr().out
    assert DetectionScore(**json.loads(json.dumps(found.to_json()))) == found


class SeesTheBrightBox:
    """Finds the bounding box of everything white."""

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        found = []
        for image in images:
            ys, xs = np.nonzero(image[..., 0] > 128)
            box = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) if len(xs) else None
            found.append(predicted((box, 0.9)) if box else Detections.empty())
        return found


def labelled(folder: Path, name: str, label: str | None, box: Box | None = None) -> None:
    """An image, black but for a white box, and its label file unless that is None."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    if box is not None:
        x1, y1, x2, y2 = map(int, box)
        image[y1:y2, x1:x2] = 255
    for kind in ("images", "labels"):
        (folder / kind).mkdir(exist_ok=True)
    assert cv2.imwrite(str(folder / f"images/{name}.png"), image)
    if label is not None:
        (folder / f"labels/{name}.txt").write_text(label)


AS_SHARES = "0 0.3 0.3 0.4 0.4\n"  # of 100 x 200 pixels: PERSON


def test_a_folder_is_scored_class_0_alone_and_images_without_labels_show_no_person(
    tmp_path: Path,
) -> None:
    labelled(tmp_path, "a", f"{AS_SHARES}17 0.5 0.5 1 1\n\n", PERSON)
    labelled(tmp_path, "b", None)
    labelled(tmp_path, "c", None, NOWHERE_NEAR)
    done: list[tuple[int, int]] = []
    found = evaluate_detection(
        tmp_path,
        SeesTheBrightBox(),
        confidence=0.5,
        progress=lambda number, total: done.append((number, total)),
    )
    assert (found.recall, found.precision) == (1, 0.5)
    assert (found.images, found.people, found.boxes) == (3, 1, 2)
    assert done == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("0 0.3 0.3 0.4", "is not class, centre x"),
        ("0 0.3 0.3 0.4 wide", "wide"),
        ("0.5 0.3 0.3 0.4 0.4", "is not class, centre x"),
        ("0 30 60 40 80", "outside of 0..1"),
        ("0 nan 0.3 0.4 0.4", "outside of 0..1"),
    ],
)
def test_a_label_that_cannot_be_read_names_file_and_line(
    tmp_path: Path, line: str, complaint: str
) -> None:
    labelled(tmp_path, "a", f"{AS_SHARES}{line}\n")
    with pytest.raises(ValueError, match=rf"a\.txt, line 2: .*{complaint}"):
        evaluate_detection(tmp_path, SeesTheBrightBox(), confidence=0.5)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    labelled(tmp_path, "a", AS_SHARES)
    (tmp_path / "images/a.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a\.png is not an image"):
        evaluate_detection(tmp_path, SeesTheBrightBox(), confidence=0.5)


def test_a_folder_without_images_or_labels_is_an_error_that_names_what_was_expected(
    tmp_path: Path,
) -> None:
    with pytest.raises(FileNotFoundError, match="no images in"):
        evaluate_detection(tmp_path, SeesTheBrightBox(), confidence=0.5)
    labelled(tmp_path, "a", None)
    with pytest.raises(FileNotFoundError, match="none of the 1 images"):
        evaluate_detection(tmp_path, SeesTheBrightBox(), confidence=0.5)
    (tmp_path / "labels/a.txt").write_text("17 0.5 0.5 1 1\n")
    with pytest.raises(ValueError, match="no person in any image"):
        evaluate_detection(tmp_path, SeesTheBrightBox(), confidence=0.5)
