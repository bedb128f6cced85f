"""What a zone's minute is on Redis: how many people were in it, entered, left, and for how long.

This module needs pydantic alone, so that a subscriber can import it without the models.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt

COUNTS_SCHEMA: Literal[1] = 1  # incremented with every change of a field's name, type or meaning
COUNTS_FIELD = "counts"  # the field of a stream entry: the row as JSON


class ZoneMinute(BaseModel):
    """One minute of one zone, or the part of it in which its camera was seen."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_version: Literal[1] = Field(default=COUNTS_SCHEMA, alias="schema")
    row_id: str  # unique: run_id/camera_id/counts/seq; a repeated delivery carries the same one
    run_id: str
    camera_id: str
    seq: PositiveInt  # of the rows of a camera and run, from 1, without gaps
    zone: str
    start_time: str | None  # UTC of the begin of the minute, ISO 8601; None: not known
    start_pts_s: float  # media time of the first frame that is counted
    seconds: NonNegativeFloat  # of the minute, in which the camera was seen; 60 if all of it
    people_mean: NonNegativeFloat  # over these seconds
    people_max: NonNegativeInt
    people_last: NonNegativeInt  # in the last frame
    entered: NonNegativeInt
    left: NonNegativeInt
    dwell_s: NonNegativeFloat  # of those who left: the sum of their stays

    def encode(self) -> str:
        """Return the row as one line of compact JSON."""
        return self.model_dump_json(by_alias=True)

    @classmethod
    def decode(cls, text: str | bytes) -> ZoneMinute:
        """Return the row that `encode` wrote.

        Raises:
            ValueError: if the text is no row of this schema.
        """
        return cls.model_validate_json(text)
