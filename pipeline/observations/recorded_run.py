"""What is known of the run that observations are from, and one item of it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.types import RecognizedFrame, StreamEnd

FORMAT: Literal[1] = 1  # incremented with every change of a column's name, type or meaning


class ObservationFormatError(ValueError):
    """A file that holds no observations, is damaged, or is of another version of this program."""


def new_recording_name() -> str:
    """Return a name that sorts by time and that no other recording has."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


class RecordedRun(BaseModel):
    """What a back-test needs to know of a run, beside its items."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    format: Literal[1] = FORMAT
    recording: str  # names this start of the program, also where two runs share their run id
    run_id: str
    wall_clock: bool  # whether the events of the run had times of day
    live: bool  # frames were seen when they were captured; else when they were recorded
    model: str  # the recognizer's name
    labels: tuple[str, ...]  # of all recognizers together
    group_actions: tuple[str, ...]  # labels of a group, sorted
    fresh_s: float  # another recognizer's score for a label counts for so long
    stride_s: float  # seconds between two clips of one person
    default_decision: str | None  # thresholds that the weights carry, as JSON; None: they have none

    def to_json(self) -> str:
        """Encode as one line of JSON."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> RecordedRun:
        """Read what `to_json` wrote.

        Raises:
            ObservationFormatError: naming the field, if it is something else.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "description"
            raise ObservationFormatError(f"{where} of its run: {first['msg']}") from None


@dataclass(frozen=True, slots=True, eq=False)
class NumberedItem:
    """An item as the decision stage gets it, and its place in the run."""

    number: int  # 0-based, over all cameras of the run, in the order of the decision stage
    item: RecognizedFrame | StreamEnd

    @property
    def camera_id(self) -> str:
        """The id of its camera."""
        item = self.item
        return item.camera_id if isinstance(item, StreamEnd) else item.tracked.frame.camera_id
