"""The configuration of live cameras; `configs/default.yaml` has each key with its meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    field_serializer,
    model_validator,
)

from pipeline.config.section import Section
from pipeline.redaction import mask_source


class CameraConfig(Section):
    """One camera; what is None is as in the section `live`."""

    url: str = Field(min_length=1, repr=False)
    transport: Literal["tcp", "udp"] | None = None
    verify_tls: bool | None = None
    detect_fps: PositiveFloat | None = None
    username: str | None = None
    password_env: str | None = None
    password_file: Path | None = None

    @field_serializer("url", when_used="json")
    def _without_credentials(self, url: str) -> str:
        """The configuration is logged."""
        return mask_source(url)

    @model_validator(mode="after")
    def _one_password(self) -> CameraConfig:
        if self.password_env is not None and self.password_file is not None:
            raise ValueError("either password_env or password_file, not both")
        if self.username is None and (self.password_env or self.password_file):
            raise ValueError("a password needs a username beside it")
        return self


class LiveConfig(Section):
    """How live cameras are watched."""

    detect_fps: PositiveFloat | None
    waiting_frames: PositiveInt
    max_staleness_s: PositiveFloat
    max_clip_staleness_s: PositiveFloat
    transport: Literal["tcp", "udp"]
    verify_tls: bool
    open_timeout_s: PositiveFloat
    read_timeout_s: PositiveFloat
    reconnect_first_s: PositiveFloat
    reconnect_longest_s: PositiveFloat
    health: str | None
    stuck_s: PositiveFloat
    report_interval_s: NonNegativeFloat
