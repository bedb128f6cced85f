"""The public checkpoints that can be named instead of a path: what they are, where, whose terms.

Nothing of them is in this project; `models.public.files` fetches what a user names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.cache_folder import cache_folder

# Of a file, as a multiple of its weights in float32: some hold the state of the optimizer too.
_AT_MOST = 4
_BYTES_PER_PARAMETER = 4
# Of the data, as far as their publishers state them.
KINETICS_TERMS = "annotations CC BY 4.0; the videos are of their owners (YouTube)"
AVA_TERMS = "annotations CC BY 4.0; the videos are films of their owners (YouTube)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicCheckpoint:
    """One checkpoint of another project's model zoo, with what its publisher states."""

    name: str  # LIBRARY/NAME
    url: str
    sha256: str | None  # of the file, or the first digits of it; None: not published
    licence: str  # of the publisher's repository; none states another one for the weights
    data: str  # that it was trained on
    data_terms: str
    labels: str  # a name of LABEL_SETS
    classes: int
    architecture: str
    mode: Literal["crop", "scene"]  # recognizer.mode
    clip_len: int  # frames of the fast pathway
    frame_interval: int  # frames at 30 per second between two of them
    parameters: int  # millions, as published or counted
    accuracy: str  # as published
    source: str  # page that states address and accuracy

    @property
    def least_mb(self) -> int:
        """Megabytes of its weights; no publisher states the size of the file."""
        return self.parameters * _BYTES_PER_PARAMETER

    @property
    def most_bytes(self) -> int:
        """What is larger is not this file."""
        return self.least_mb * 1_000_000 * _AT_MOST

    @property
    def verification(self) -> str:
        """How the file is verified, in words."""
        if self.sha256 is None:
            return "by the digest pinned at its first download; none is published"
        return f"by the first {len(self.sha256)} digits of its SHA-256, which its name has"

    def file(self, cache_dir: Path | None = None) -> Path:
        """Return where the file is once it has been fetched, or is to be put by hand.

        Args:
            cache_dir: None: `~/.cache/behaviour-stream`.
        """
        folder = (cache_dir or cache_folder()) / "recognizers"
        return folder / f"{self.name}{Path(self.url).suffix}"
