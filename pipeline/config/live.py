"""Sections about live cameras."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_serializer,
    field_validator,
    model_validator,
)

from pipeline.config.decision import CameraDecisionConfig
from pipeline.config.loading import Section, UserPath
from pipeline.config.zones import GroundPlaneConfig, LineConfig, PlaceName, ZoneConfig
from pipeline.redaction import mask_source
from pipeline.sources.pixel_limit import MAX_PIXELS


class CameraConfig(Section):
    """One camera, by its name; null: as in the section `live`."""

    url: str | None = Field(
        None,
        min_length=1,
        repr=False,
        description="rtsp://, rtsps://, http(s):// (MJPEG, HLS), rtmp://, a webcam's number or "
        "FILE?live; null: of a camera that the command line or a recording names",
    )
    transport: Literal["tcp", "udp"] | None = Field(None, description="of RTSP")
    verify_tls: bool | None = Field(
        None, description="rtsps, https: refuse a certificate that no known authority signed"
    )
    detect_fps: PositiveFloat | None = Field(
        None,
        description="frames that are processed per second",
        json_schema_extra={"unit": "frames per second"},
    )
    username: str | None = Field(None, description="for a camera that requires a login")
    password: SecretStr | None = Field(
        None, description="best as ${NAME}, which takes the environment variable NAME"
    )
    password_env: str | None = Field(
        None, description="name of an environment variable with the password"
    )
    password_file: UserPath | None = Field(
        None, description="file with the password, relative to the current directory"
    )

    zones: dict[PlaceName, ZoneConfig] = Field(
        {}, description="by name, e.g. {door: {points: [[0.1, 0.5], [0.3, 0.5], [0.2, 0.9]]}}"
    )
    lines: dict[PlaceName, LineConfig] = Field(
        {}, description="by name, e.g. {kerb: {start: [0.1, 0.8], end: [0.9, 0.8]}}"
    )
    ground_plane: GroundPlaneConfig | None = Field(
        None, description="four points of the floor, for distances in metres; null: none"
    )

    decision: CameraDecisionConfig | None = Field(
        None, description="thresholds and actions of interest of this camera; null: as of all"
    )

    @field_validator("url", mode="before")
    @classmethod
    def _webcam(cls, url: Any) -> Any:
        return str(url) if type(url) is int and url >= 0 else url

    @field_serializer("url", when_used="json")
    def _without_credentials(self, url: str | None) -> str | None:
        return None if url is None else mask_source(url)  # the configuration is logged

    @model_validator(mode="after")
    def _one_password(self) -> CameraConfig:
        names = ("password", "password_env", "password_file")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"either {given[0]} or {given[1]}, not both")
        if self.username is None and given and getattr(self, given[0]):
            raise ValueError("a password needs a username beside it")
        return self

    @model_validator(mode="after")
    def _one_place_per_name(self) -> CameraConfig:
        if both := sorted(self.zones.keys() & self.lines.keys()):
            raise ValueError(f"{both[0]} is both a zone and a line; give one of them another name")
        return self


class LiveConfig(Section):
    """How live cameras are read, and how far a live run may lag behind them."""

    detect_fps: PositiveFloat | None = Field(
        10.0,
        description="frames per camera and second that are processed; null: every frame",
        json_schema_extra={"unit": "frames per second"},
    )
    waiting_frames: PositiveInt = Field(
        2,
        description="frames of one camera that wait for the detector at most; the oldest is "
        "dropped first",
        json_schema_extra={"unit": "frames"},
    )
    max_staleness_s: PositiveFloat = Field(
        0.5, description="a frame that is further behind than this is dropped, and counted"
    )
    max_clip_staleness_s: PositiveFloat = Field(
        1.0,
        description="a clip that has waited longer for the recognizer is dropped, and counted",
    )
    transport: Literal["tcp", "udp"] = Field("tcp", description="of RTSP: tcp | udp")
    verify_tls: bool = Field(
        True, description="rtsps, https: refuse a certificate that no known authority signed"
    )
    open_timeout_s: PositiveFloat = Field(10.0, description="longest wait for a camera to answer")
    read_timeout_s: PositiveFloat = Field(
        5.0, description="longest wait for a frame; then the camera is reconnected"
    )
    reconnect_first_s: PositiveFloat = Field(
        0.5, description="pause before the second attempt in a row; doubles with every further one"
    )
    reconnect_longest_s: PositiveFloat = Field(5.0, description="longest pause; attempts never end")
    max_pixels: PositiveInt = Field(
        MAX_PIXELS,
        description="width times height of a frame; a camera with larger ones is unreadable",
        json_schema_extra={"unit": "pixels"},
    )
    snapshot_fps: PositiveFloat = Field(
        2.0,
        description="requests per second to an http(s):// camera whose URL is that of one image",
        json_schema_extra={"unit": "requests per second"},
    )
    health: str | None = Field(
        "127.0.0.1:8787", description="address of /health and /metrics; null: off"
    )
    health_hosts: tuple[str, ...] = Field(
        (),
        description="names under which a browser or Prometheus reaches them, beside addresses, "
        "localhost and this machine's name, e.g. [live, cameras.example.com]",
    )
    stuck_s: PositiveFloat = Field(
        30.0,
        description="a stage that works on one item for longer is stuck: /health reports it, and "
        "the watchdog of systemd is no longer notified",
    )
    report_interval_s: NonNegativeFloat = Field(
        10.0, description="interval between two status lines; 0: none"
    )
