"""The networks: numbers in, numbers out; no threads, no clock, no camera.

`load_recognizer` and `CheckpointError` are imported on first use: `models.boxes` and
`models.detections` need no PyTorch.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.checkpoints.checkpoint import CheckpointError, load_recognizer

__all__ = ["CheckpointError", "load_recognizer"]

# OpenVINO and NNCF report every import and conversion to an analytics host and leave a client id in
# ~/intel. Without this package they use their stub. It is blocked here because everything of ours
# that imports them, ultralytics included, has imported `models` before.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from models.checkpoints import checkpoint

    return getattr(checkpoint, name)
