"""What may differ between the recognizers of a list, and the network that gives key points."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from pipeline.config.loading import Section, UserPathOrName

# Keys of an entry that are those of the section `clip`; all others are of `recognizer`.
CLIP_KEYS = {
    "clip_len",
    "frame_interval",
    "target_fps",
    "crop_size",
    "crop_margin",
    "stride_s",
    "max_gap_s",
}
_SKELETON_KEYS = {"mode", "weights", "stride_s", "max_gap_s"}  # its time grid is fixed


class RecognizerEntry(Section):
    """One of several recognizers; null: as the sections `recognizer` and `clip` have it."""

    weights: UserPathOrName | None = Field(None, description="see recognizer.weights")
    state_dict: str | None = Field(None, description="see recognizer.state_dict")
    labels: UserPathOrName | None = Field(None, description="see recognizer.labels")
    mode: Literal["crop", "scene", "skeleton"] | None = Field(
        None, description="see recognizer.mode; scene only as the one entry of a list"
    )
    backend: Literal["auto", "torch", "openvino"] | None = Field(
        None, description="see recognizer.backend"
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] | None = Field(
        None, description="see recognizer.precision"
    )
    batch_size: PositiveInt | None = Field(
        None, description="see recognizer.batch_size", json_schema_extra={"unit": "clips"}
    )
    clip_len: PositiveInt | None = Field(
        None, description="see clip.clip_len", json_schema_extra={"unit": "frames"}
    )
    frame_interval: PositiveInt | None = Field(
        None, description="see clip.frame_interval", json_schema_extra={"unit": "frames"}
    )
    target_fps: PositiveFloat | None = Field(
        None, description="see clip.target_fps", json_schema_extra={"unit": "frames per second"}
    )
    crop_size: PositiveInt | None = Field(
        None, description="see clip.crop_size", json_schema_extra={"unit": "pixels"}
    )
    crop_margin: NonNegativeFloat | None = Field(
        None, description="see clip.crop_margin", json_schema_extra={"unit": "fraction"}
    )
    stride_s: PositiveFloat | None = Field(None, description="see clip.stride_s")
    max_gap_s: PositiveFloat | None = Field(None, description="see clip.max_gap_s")

    @model_validator(mode="after")
    def _keys_of_a_skeleton(self) -> RecognizerEntry:
        without_effect = self.model_dump(exclude_none=True).keys() - _SKELETON_KEYS
        if self.mode == "skeleton" and without_effect:
            raise ValueError(
                f"{', '.join(sorted(without_effect))} has no effect with mode: skeleton, which "
                f"takes {', '.join(sorted(_SKELETON_KEYS - {'mode'}))}"
            )
        return self


class PoseConfig(Section):
    """The network that gives key points; it runs only for recognizers of mode skeleton."""

    weights: UserPathOrName = Field(
        "yolo11n-pose.pt",
        description="official YOLO pose name (AGPL), blazepose_lite | _full | _heavy (Apache-2.0), "
        "both downloaded once; a path: .pt, .onnx, OpenVINO folder, .tflite (BlazePose); or none "
        "(boxes alone)",
    )
    fps: float = Field(
        10.0,
        ge=4.0,
        description="frames per second and camera whose key points are estimated, at most",
        json_schema_extra={"unit": "frames per second"},
    )
    image_size: PositiveInt = Field(
        640,
        description="longer side of the input of YOLO weights, pixels",
        json_schema_extra={"unit": "pixels"},
    )
    npm_registry: str = Field(
        "https://registry.npmjs.org",
        pattern=r"^https?://",
        description="where BlazePose is downloaded from (package @mediapipe/pose)",
    )
