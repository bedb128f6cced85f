"""Zones, lines and the ground in the configuration, and how mistakes are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.config.schema import PipelineConfig, load_config
from pipeline.errors import ConfigError

GOOD = """
cameras:
  gate:
    zones:
      entrance: {points: [[0.1, 0.5], [0.4, 0.5], [0.4, 1], [0.1, 1]]}
      bench: {points: [[0.5, 0.5], [0.6, 0.5], [0.6, 0.6]], anchor: centre, inertia_s: 2}
    lines:
      kerb: {start: [0, 0.8], end: [1, 0.8], hysteresis: 0.3}
    ground_plane:
      image: [[0.1, 0.9], [0.9, 0.9], [0.6, 0.4], [0.4, 0.4]]
      metres: [[0, 0], [4, 0], [4, 10], [0, 10]]
"""


def loaded(tmp_path: Path, text: str) -> PipelineConfig:
    path = tmp_path / "cameras.yaml"
    path.write_text(text)
    return load_config(path)


def problem(tmp_path: Path, camera: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f"cameras:\n  gate:\n    {camera}\n")
    return str(caught.value).removeprefix(f"{tmp_path / 'cameras.yaml'}, ")


def test_zones_lines_and_the_ground_are_of_a_camera_that_need_not_have_a_url(
    tmp_path: Path,
) -> None:
    gate = loaded(tmp_path, GOOD).cameras["gate"]
    zones = [config.zone(name) for name, config in gate.zones.items()]
    assert [(one.name, one.anchor, one.inertia_s) for one in zones] == [
        ("entrance", "foot", 0.5),
        ("bench", "centre", 2.0),
    ]
    assert np.array_equal(zones[0].points, [(0.1, 0.5), (0.4, 0.5), (0.4, 1), (0.1, 1)])
    line = gate.lines["kerb"].line("kerb")
    assert (line.start, line.end, line.anchor, line.hysteresis) == ((0, 0.8), (1, 0.8), "foot", 0.3)
    assert gate.ground_plane is not None
    places = gate.ground_plane.ground_plane().place_feet(np.array([[0, 0, 20, 90]]), (100, 100))
    assert places == pytest.approx(np.zeros((1, 2)), abs=1e-5)


def test_places_survive_being_logged(tmp_path: Path) -> None:
    assert '"entrance"' in loaded(tmp_path, GOOD).loggable_json()


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        (
            "zones: {door: {points: [[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]}}",
            "line 3: cameras.gate.zones.door.points: it crosses itself: the side from corner 1 to "
            "2 meets that from 3 to 4",
        ),
        (
            "zones: {door: {points: [[0.1, 0.1], [0.9, 0.9]]}}",
            "line 3: cameras.gate.zones.door.points: a zone has three corners at least, not 2",
        ),
        (
            "zones: {door: {points: [[120, 80], [500, 80], [500, 400]]}}",
            "line 3: cameras.gate.zones.door.points: point 1 (120, 80) is outside of the image: "
            "expected fractions of its width and height, from 0 to 1",
        ),
        (
            "zones: {door: {anchor: head}}",
            "cameras.gate.zones.door.anchor: should be 'foot' or 'centre'",
        ),
        (
            "zones: {door: {point: [[0, 0], [1, 0], [1, 1]]}}",
            "cameras.gate.zones.door.point: unknown key; did you mean "
            "cameras.gate.zones.door.points?",
        ),
        (
            "lines: {kerb: {start: [0.5, 0.5], end: [0.5, 0.5]}}",
            "line 3: cameras.gate.lines.kerb: start and end are the same point",
        ),
        (
            "{zones: {door: {points: [[0, 0], [1, 0], [1, 1]]}}, "
            "lines: {door: {start: [0, 0], end: [1, 1]}}}",
            "cameras.gate: door is both a zone and a line; give one of them another name",
        ),
        (
            "ground_plane: {image: [[0.1, 0.9], [0.5, 0.9], [0.9, 0.9], [0.4, 0.4]], "
            "metres: [[0, 0], [4, 0], [4, 10], [0, 10]]}",
            "line 3: cameras.gate.ground_plane: the points 1, 2, 3 of image are on one line, or "
            "two are the same",
        ),
    ],
)
def test_a_mistake_is_named_with_its_camera_and_key(
    tmp_path: Path, camera: str, message: str
) -> None:
    assert message in problem(tmp_path, camera)
