"""Choose the pieces of recordings: who is long enough, which frame size, in which order."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import SourceError
from training.evaluation.sample_frames import frames_of
from training.labels.samples import Sample

# A distance of frames ends all tracks if it is above clip.max_gap_s and some times the usual one,
# see `pipeline.sources.interruptions`: this many longest distances are enough.
SEAM_STEPS = 4
SEAM_GAPS = 1.5  # times clip.max_gap_s


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a video that is taken as a whole."""

    sample: Sample
    wh: tuple[int, int]  # pixels
    frames: int
    seconds: float  # from the first frame to the end of the last
    longest_step_s: float  # between two of its frames

    @property
    def source(self) -> str:
        """Name file and seconds of the stretch."""
        start_s = self.sample.start_s or 0.0
        return f"{self.sample.path} {start_s:.1f}-{start_s + self.seconds:.1f}"


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """The pieces of one recording, in their order."""

    wh: tuple[int, int]
    pieces: tuple[Piece, ...]
    seam_s: float  # from the end of a piece to the start of the next

    @property
    def name(self) -> str:
        """Name of its files, which differs where the content would."""
        parts = [[piece.source, piece.frames, piece.sample.labels] for piece in self.pieces]
        digest = hashlib.sha256(json.dumps([parts, self.seam_s]).encode()).hexdigest()[:8]
        return f"{self.wh[0]}x{self.wh[1]}-{digest}"


@dataclass(frozen=True, slots=True)
class UnusedSample:
    """A sample that is in no recording, and why."""

    sample: Sample
    reason: str


def measure_pieces(
    samples: Sequence[Sample], shortest_s: float, measured: Callable[[int, int], object]
) -> tuple[list[Piece], list[UnusedSample]]:
    """Decode every sample once and measure it.

    Args:
        samples: in any order.
        shortest_s: seconds below which no clip could be cut and no action start: such a sample is
            not used. It is not repeated either: people would jump at the joint.
        measured: called with how many of the samples are done.
    """
    pieces: list[Piece] = []
    unused: list[UnusedSample] = []
    for done, sample in enumerate(samples, 1):
        try:
            piece = _measure(sample)
        except SourceError as error:
            unused.append(UnusedSample(sample, str(error).removeprefix(f"{sample.path}: ")))
        else:
            if piece.seconds >= shortest_s:
                pieces.append(piece)
            else:
                reason = f"{piece.seconds:.1f} s are too short for a clip and a start"
                unused.append(UnusedSample(sample, reason))
        measured(done, len(samples))
    return pieces, unused


def plan_recordings(pieces: Sequence[Piece], max_gap_s: float, seed: int) -> list[RecordingPlan]:
    """Make one recording of all pieces of a frame size, in random order.

    Args:
        pieces: measured.
        max_gap_s: `clip.max_gap_s` of the configuration; every seam is longer.
        seed: of the order.

    Returns:
        Plans by frame size.
    """
    rng = np.random.default_rng(seed)
    by_size: dict[tuple[int, int], list[Piece]] = defaultdict(list)
    for piece in pieces:
        by_size[piece.wh].append(piece)
    plans = []
    for wh, mine in sorted(by_size.items()):
        longest_s = max(piece.longest_step_s for piece in mine)
        seam_s = max(SEAM_GAPS * max_gap_s, SEAM_STEPS * longest_s)
        ordered = tuple(mine[n] for n in rng.permutation(len(mine)))
        plans.append(RecordingPlan(wh, ordered, round(seam_s, 3)))
    return plans


def _measure(sample: Sample) -> Piece:
    times: list[float] = []
    wh: tuple[int, int] | None = None
    for frame in frames_of(sample):
        if wh not in (None, frame.wh):
            raise SourceError("its frame size changes")
        wh = frame.wh
        times.append(frame.pts_s)
    if wh is None or len(times) < 2:
        raise SourceError("fewer than two frames in its stretch of time")
    steps = np.diff(times)
    seconds = times[-1] - times[0] + float(np.median(steps))
    return Piece(sample, wh, len(times), seconds, float(steps.max()))
