"""Sections about places in a camera's image: zones, lines, and where the ground is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, NonNegativeFloat, field_validator, model_validator

from pipeline.config.loading import Section
from pipeline.rules.shapes import ground_plane_problem, line_problem, polygon_problem

# A bridge reads the same configuration, and may have neither numpy nor shapely.
if TYPE_CHECKING:
    from pipeline.rules.ground_plane import GroundPlane
    from pipeline.rules.lines import Line
    from pipeline.rules.zones import Zone

PlaceName = Annotated[str, Field(pattern=r"^[\w.-]+$")]
ImagePoint = tuple[float, float]
AnchorName = Literal["foot", "centre"]


class ZoneConfig(Section):
    """A polygon of a camera's image that people are in or not, by its name."""

    points: tuple[ImagePoint, ...] = Field(
        description="corners in order, each [x, y] in fractions of the image's width and height: "
        "[0, 0] is the upper left corner, [1, 1] the lower right one",
    )
    anchor: AnchorName = Field(
        "foot",
        description="foot | centre; the point of a person's box that counts: the middle of its "
        "lower side, or of all of it",
    )
    inertia_s: NonNegativeFloat = Field(
        0.5,
        description="a person must be inside, or outside, for so long to count as that: against "
        "flicker at the border",
    )

    @field_validator("points")
    @classmethod
    def _is_a_polygon(cls, points: tuple[ImagePoint, ...]) -> tuple[ImagePoint, ...]:
        if problem := polygon_problem(points):
            raise ValueError(problem)
        return points

    def zone(self, name: str) -> Zone:
        """Return the zone."""
        import numpy as np

        from pipeline.rules.zones import Zone

        return Zone(name, np.array(self.points), self.anchor, self.inertia_s)


class LineConfig(Section):
    """A line in a camera's image that people cross, by its name."""

    start: ImagePoint = Field(
        description="[x, y] in fractions of the image. Stand there and face the end: "
        "left_to_right is from your left hand to your right hand"
    )
    end: ImagePoint = Field(description="[x, y] in fractions of the image")
    anchor: AnchorName = Field("foot", description="foot | centre, as of a zone")
    hysteresis: NonNegativeFloat = Field(
        0.15,
        description="how far from the line a person has crossed it, against a count of everyone "
        "who stands on it, in heights of the person's box",
        json_schema_extra={"unit": "body heights"},
    )

    @model_validator(mode="after")
    def _has_two_ends(self) -> LineConfig:
        if problem := line_problem(self.start, self.end):
            raise ValueError(problem)
        return self

    def line(self, name: str) -> Line:
        """Return the line."""
        from pipeline.rules.lines import Line

        return Line(name, self.start, self.end, self.anchor, self.hysteresis)


class GroundPlaneConfig(Section):
    """Four points of a flat floor, for distances in metres."""

    image: tuple[ImagePoint, ...] = Field(
        description="four points [x, y] of the floor, in fractions of the image, in order around "
        "an area as large as can be"
    )
    metres: tuple[tuple[float, float], ...] = Field(
        description="the same four points as measured on the floor, [x, y] in metres from any "
        "corner",
        json_schema_extra={"unit": "metres"},
    )

    @model_validator(mode="after")
    def _determines_a_plane(self) -> GroundPlaneConfig:
        if problem := ground_plane_problem(self.image, self.metres):
            raise ValueError(problem)
        return self

    def ground_plane(self) -> GroundPlane:
        """Return the ground plane."""
        from pipeline.rules.ground_plane import GroundPlane

        return GroundPlane(self.image, self.metres)
