"""What a sample may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from training.labels.samples import PersonBox, Sample, label_names

VIDEO = Path("a.mp4")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"labels": ()}, "there is no label"),
        ({"labels": ("walk", "")}, "there is no label"),
        ({"labels": ("walk", "walk")}, "twice in walk|walk"),
        ({"start_s": -1.0}, "start -1 is before the video begins"),
        ({"start_s": 3.0, "end_s": 3.0}, "end 3 is not after start 3"),
    ],
)
def test_a_sample_that_cannot_be_is_refused(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint.replace("|", r"\|")):
        Sample(**{"path": VIDEO, "labels": ("walk",)} | values)


@pytest.mark.parametrize(
    ("xyxy", "normalized"),
    [((5, 2, 3, 4), False), ((1, 4, 3, 4), False), ((0.1, 0.1, 1.1, 0.5), True)],
)
def test_a_box_that_cannot_be_is_refused(
    xyxy: tuple[float, float, float, float], normalized: bool
) -> None:
    with pytest.raises(ValueError, match="box"):
        PersonBox(xyxy, normalized=normalized)


def test_label_names_are_sorted_and_occur_once() -> None:
    samples = [Sample(VIDEO, ("walk", "point")), Sample(VIDEO, ("hug",)), Sample(VIDEO, ("walk",))]
    assert label_names(samples) == ("hug", "point", "walk")
