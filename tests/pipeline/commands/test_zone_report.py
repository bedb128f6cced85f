"""What is said of zones, lines and points, and what is taken for a mistake."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.commands.zone_report import ZoneReport, parse_point
from pipeline.config.live import CameraConfig
from pipeline.config.zones import GroundPlaneConfig, LineConfig, ZoneConfig
from pipeline.errors import ConfigError

WH = (200, 100)
LEFT = ZoneConfig(points=((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
UP = LineConfig(start=(0.5, 1), end=(0.5, 0))
FLOOR = GroundPlaneConfig(
    image=((0.1, 0.9), (0.9, 0.9), (0.6, 0.4), (0.4, 0.4)),
    metres=((0, 0), (4, 0), (4, 10), (0, 10)),
)


def report(**camera: object) -> ZoneReport:
    return ZoneReport("gate", WH, CameraConfig.model_validate(camera))


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("0.25,0.5", (0.25, 0.5)),
        ("50,50", (0.25, 0.5)),
        ("1,1", (1.0, 1.0)),
        ("50, 0.5", (0.25, 0.005)),
    ],
)
def test_a_point_is_in_fractions_or_in_pixels(text: str, point: tuple[float, float]) -> None:
    assert parse_point(text, WH) == pytest.approx(point)


@pytest.mark.parametrize("text", ["", "1", "a,b", "1,2,3", "201,50", "-1,0.5", "nan,0.5", "inf,1"])
def test_what_is_no_point_of_the_image_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--point"):
        parse_point(text, WH)


def test_a_point_is_described_by_zones_lines_and_metres() -> None:
    gate = report(zones={"left": LEFT}, lines={"door": UP}, ground_plane=FLOOR)
    assert gate.describe((0.1, 0.9)) == (
        "point 0.1000,0.9000; pixel 20,90; in left; on the left hand of door; 0.00, 0.00 m"
    )
    far = gate.describe((0.9, 0.9))
    assert "in no zone; on the right hand of door; 4.00, 0.00 m" in far
    assert gate.describe((0.5, 0.0)).endswith("on the line itself of door; above the horizon")


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ((0.5, 1), (0.5, 0), "to the right"),
        ((0.5, 0), (0.5, 1), "to the left"),
        ((0, 0.5), (1, 0.5), "down"),
        ((1, 0.5), (0, 0.5), "up"),
        ((0, 0), (0.5, 1), "down and to the left"),
    ],
)
def test_the_direction_of_a_line_is_said_in_words(
    start: tuple[float, float], end: tuple[float, float], words: str
) -> None:
    [_, line] = report(lines={"door": LineConfig(start=start, end=end)}).places()
    assert line.endswith(f"left_to_right goes {words} in the image")


def test_a_camera_without_places_is_told_so() -> None:
    assert ZoneReport("gate", WH, None).places() == [
        "camera gate: 200x100 pixels",
        "no zones and lines under cameras.gate",
    ]


def test_probable_mistakes_are_remarked() -> None:
    zones = {
        "floor": ZoneConfig(points=((0.1, 0.5), (0.9, 0.5), (0.9, 0.98), (0.1, 0.98))),
        "slit": ZoneConfig(points=((0.1, 0.5), (0.9, 0.5), (0.9, 0.55), (0.1, 0.55))),
        "left": LEFT,
        "twin": LEFT,
    }
    lines = {"stub": LineConfig(start=(0.5, 0.5), end=(0.51, 0.5)), "door": UP}
    remarks = list(report(zones=zones, lines=lines).remarks())
    assert [remark.partition(":")[2].split()[1] for remark in remarks] == [
        "floor", "slit", "stub", "left",
    ]  # fmt: skip
    assert "let it reach to 1.0" in remarks[0]
    assert list(report(zones={"left": LEFT}, lines={"door": UP}).remarks()) == []


def test_the_drawing_leaves_the_image_alone() -> None:
    image = np.full((100, 200, 3), 128, np.uint8)
    drawn = report(zones={"left": LEFT}, lines={"door": UP}).drawn(image, [(0.3, 0.4)])
    assert drawn.shape == image.shape
    assert (image == 128).all()
    assert not np.array_equal(drawn, image)
