"""The networks: numbers in, numbers out; no threads, no clock, no camera.

`load_recognizer` and `CheckpointError` are imported on first use: `models.boxes` and
`models.detections` need no PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.checkpoints.checkpoint import CheckpointError, load_recognizer

__all__ = ["CheckpointError", "load_recognizer"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from models.checkpoints import checkpoint

    return getattr(checkpoint, name)
