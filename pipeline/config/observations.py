"""Observations: what decisions are made of, kept for back-tests."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt

from pipeline.config.loading import Section, UserPath

FOLDER = "observations"  # under `output`


class ObservationsConfig(Section):
    """Tracks, boxes and scores of every frame, for the command backtest; no pixels."""

    keep: bool = Field(
        False,
        description="keep boxes, tracks and scores of every frame (no pixels), so that backtest "
        "can try other thresholds and rules on them",
    )
    folder: UserPath | None = Field(
        None, description=f"where they are kept; null: {FOLDER} under output"
    )
    max_age_days: PositiveFloat = Field(
        14.0,
        description="older files are deleted",
        json_schema_extra={"unit": "days"},
    )
    max_mb: PositiveInt = Field(
        10_000,
        description="size of the folder; beyond it the oldest files are deleted",
        json_schema_extra={"unit": "megabytes"},
    )
    flush_s: PositiveFloat = Field(
        30.0, description="interval of writing; a killed process loses no more than this"
    )

    def folder_under(self, output: Path) -> Path:
        """Return the folder, given the directory of everything a run writes."""
        return output / FOLDER if self.folder is None else self.folder
