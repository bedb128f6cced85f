"""The configuration of groups: people who are close to each other and are judged together."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from pipeline.config.loading import Section


class GroupsConfig(Section):
    """Groups of people; used if labels of the recognizer are a group's."""

    together_s: NonNegativeFloat = Field(
        0.4, description="people who overlap or are within reach this long become a group"
    )
    apart_s: NonNegativeFloat = Field(
        1.5, description="members who are apart, or not detected, this long are none any more"
    )
    reach: NonNegativeFloat = Field(
        1.0,
        description="largest distance between two people of a group, in lengths of a body",
        json_schema_extra={"unit": "body lengths"},
    )
    stride_s: PositiveFloat = Field(0.5, description="seconds between two clips of one group")
    max_groups: PositiveInt = Field(
        4,
        description="groups per camera, which bounds their cost; the oldest ones stay",
        json_schema_extra={"unit": "groups"},
    )
    max_members: int = Field(
        6,
        ge=2,
        description="people of one group; those who came first stay",
        json_schema_extra={"unit": "people"},
    )
