"""The networks: numbers in, numbers out; no threads, no clock, no camera."""

from models.checkpoints.checkpoint import CheckpointError, load_recognizer

__all__ = ["CheckpointError", "load_recognizer"]
