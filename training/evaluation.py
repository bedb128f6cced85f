"""How often a recognizer is right on held-out tracks, and what it says when it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.action_recognizer import ActionRecognizer
from training.augmentation import centre
from training.clip_cache import CachedTrack, read_crops
from training.clip_choice import choose_frames, evaluation_ends_s, time_grid

Counts = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Confusion counts, rows the truth and columns the prediction, in the order of `labels`."""

    labels: tuple[str, ...]
    clips: Counts  # int (C, C), every two-second clip of every person
    videos: Counts  # int (C, C), mean scores of all clips with one label in one video

    def to_markdown(self) -> str:
        """Accuracies and both confusion matrices."""
        parts = []
        for name, counts in (("Clips", self.clips), ("Videos", self.videos)):
            parts.append(
                f"{name}: {np.trace(counts)} of {counts.sum()} right "
                f"({accuracy(counts):.1%}), mean over classes {mean_class_accuracy(counts):.1%}"
            )
            parts.append(_table(self.labels, counts))
        return "\n\n".join(parts) + "\n"


def accuracy(counts: Counts) -> float:
    """Share of all that is right."""
    return float(np.trace(counts) / max(counts.sum(), 1))


def mean_class_accuracy(counts: Counts) -> float:
    """Recall averaged over the classes that occur, so that rare ones count as much."""
    totals = counts.sum(axis=1)
    there = totals > 0
    return float((np.diag(counts)[there] / totals[there]).mean()) if there.any() else 0.0


def evaluate(
    recognizer: ActionRecognizer, cache: Path, tracks: Sequence[CachedTrack]
) -> Evaluation:
    """Score the clips of some tracks.

    Args:
        recognizer: as the pipeline uses it.
        cache: with the tracks' crops.
        tracks: the held-out ones.
    """
    labels = recognizer.labels
    clips = np.zeros((len(labels), len(labels)), np.intp)
    videos = np.zeros_like(clips)
    by_video: dict[tuple[str, str, str], list[NDArray[np.float32]]] = {}
    for track in tracks:
        rows = _score_track(recognizer, cache, track)
        for scores in rows:
            clips[labels.index(track.label), scores.argmax()] += 1
        # One long recording shows many people: each of them counts as a video of its own.
        is_scene = track.dataset == Path(track.video).stem
        video = track.crops if is_scene else track.video
        by_video.setdefault((track.dataset, video, track.label), []).extend(rows)
    for (_, _, label), rows in by_video.items():
        if rows:
            videos[labels.index(label), np.mean(rows, axis=0).argmax()] += 1
    return Evaluation(labels, clips, videos)


def _score_track(
    recognizer: ActionRecognizer, cache: Path, track: CachedTrack
) -> list[NDArray[np.float32]]:
    grid = time_grid(recognizer.spec)
    crops = read_crops(cache, track)
    clips = []
    for end_s in evaluation_ends_s(track, grid):
        frames = choose_frames(track, float(end_s), grid)
        if frames is not None:
            clips.append(centre(crops[frames], recognizer.spec.crop_size))
    return list(recognizer.predict(clips))


def _table(labels: Sequence[str], counts: Counts) -> str:
    lines = [
        "| truth \\ said | " + " | ".join(labels) + " | right |",
        "|---|" + "---:|" * (len(labels) + 1),
    ]
    for label, row, right in zip(labels, counts, np.diag(counts), strict=True):
        if row.sum():
            cells = " | ".join(str(count) if count else "" for count in row)
            lines.append(f"| {label} | {cells} | {right / row.sum():.0%} |")
    return "\n".join(lines)
