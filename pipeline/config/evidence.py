"""The section about evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from pipeline.config.loading import Section, UserPath


class EvidenceConfig(Section):
    """Snapshots and clips of alarms and actions; off until rules or actions are named."""

    rules: tuple[str, ...] = Field(
        (), description='whose alarms are kept, e.g. ["*"] or [fight-*]; []: none'
    )
    actions: tuple[str, ...] = Field(
        (), description="which actions are kept themselves, e.g. [fall, fight*]; []: none"
    )
    folder: UserPath | None = Field(None, description="where they are kept; null: OUTPUT/evidence")
    snapshot: bool = Field(True, description="a JPEG of the frame of the decision")
    clip: bool = Field(True, description="an mp4 from before its start to after its end")
    before_s: NonNegativeFloat = Field(
        5.0, description="a clip begins at the key frame so long before the start, or earlier"
    )
    after_s: NonNegativeFloat = Field(5.0, description="a clip lasts for so long after the end")
    longest_s: PositiveFloat = Field(
        60.0, description="a clip of something that continues ends after so long"
    )
    blur: Literal["faces", "bodies"] | None = Field(
        None,
        description="of people who are not in question: faces (the upper part of their boxes) | "
        "bodies; clips are then encoded again; null: none",
    )
    max_age_days: PositiveFloat = Field(
        14.0,
        description="older files are deleted",
        json_schema_extra={"unit": "days"},
    )
    max_size_gb: PositiveFloat = Field(
        10.0,
        description="size of all of them; the oldest are deleted first, those of alarms last",
        json_schema_extra={"unit": "gigabytes"},
    )
    snapshot_wait_s: NonNegativeFloat = Field(
        0.3,
        description="live: longest time that an event waits for its snapshot; one that takes "
        "longer is announced later",
    )
    image_mb: PositiveFloat = Field(
        256.0,
        description="live: memory for images of frames that may be decided on",
        json_schema_extra={"unit": "megabytes"},
    )
    packet_mb: PositiveFloat = Field(
        32.0,
        description="live: memory per camera for its newest packets, and as much for the clips "
        "that are being cut",
        json_schema_extra={"unit": "megabytes"},
    )

    @property
    def is_on(self) -> bool:
        """Whether anything is kept."""
        return bool(self.rules or self.actions) and (self.snapshot or self.clip)

    def folder_in(self, output: Path) -> Path:
        """Return where evidence is kept, by a run with this folder of outputs."""
        return output / "evidence" if self.folder is None else self.folder

    @model_validator(mode="after")
    def _has_a_product(self) -> EvidenceConfig:
        if (self.rules or self.actions) and not (self.snapshot or self.clip):
            raise ValueError("snapshot and clip are both false: nothing would be kept")
        if self.longest_s <= self.before_s:
            raise ValueError(
                f"longest_s ({self.longest_s:g}) must exceed before_s ({self.before_s:g})"
            )
        return self
