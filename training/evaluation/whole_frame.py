"""Whole-frame evaluation as in papers: clips and crops of a video, their scores averaged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.slowfast.input_spec import InputSpec
from pipeline.errors import SourceError
from pipeline.stages.recognition import ClipScorer
from training.crops.crop_cache import file_identity
from training.evaluation.clip_results import ClipScore, UnreadableClip
from training.evaluation.sample_frames import frames_of
from training.evaluation.view_options import WholeFrameViews
from training.evaluation.whole_frame_views import (
    crop_corners,
    scale_short_side,
    view_frames,
)
from training.labels.samples import Sample

Images = dict[int, NDArray[np.uint8]]  # by number of the frame


class ViewScoreCache:
    """The averaged scores of videos on disk, so that a stopped run continues.

    Args:
        folder: of the files; safe to delete when nothing runs.
        identity: text that differs where the scores would.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder, self._identity = folder, identity

    def load(self, sample: Sample) -> FloatArray | None:
        """Load float32 (M,); None if the video was not scored or has changed since."""
        file = self._file(sample)
        return np.load(file, allow_pickle=False) if file.is_file() else None

    def save(self, sample: Sample, scores: FloatArray) -> None:
        """Keep float32 (M,), in one step."""
        file = self._file(sample)
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".part")
        with unfinished.open("wb") as out:
            np.save(out, scores)
        unfinished.replace(file)

    def _file(self, sample: Sample) -> Path:
        stretch = sample.start_s, sample.end_s
        known = json.dumps([file_identity(sample.path), stretch, self._identity])
        return self._folder / f"{hashlib.sha256(known.encode()).hexdigest()[:32]}.npy"


def score_whole_frames(
    samples: Sequence[Sample],
    recognizer: ClipScorer,
    spec: InputSpec,
    views: WholeFrameViews,
    cache: ViewScoreCache,
) -> Iterator[ClipScore | UnreadableClip]:
    """Score every sample by the average of the probabilities of its views.

    Args:
        samples: videos or stretches of them.
        recognizer: of clips of `views.side` pixels.
        spec: of the recognizer: its clips, in frames of the file whatever its rate is.
        views: that are averaged.
        cache: of the scores.

    Yields:
        One item per sample.
    """
    for sample in samples:
        scores = cache.load(sample)
        if scores is None:
            try:
                scores = score_views(sample, recognizer, spec, views)
            except SourceError as error:
                yield UnreadableClip(sample, str(error).removeprefix(f"{sample.path}: "))
                continue
            cache.save(sample, scores)
        yield ClipScore(sample, scores[None], views.clips * views.crops, 0, None)


def score_views(
    sample: Sample, recognizer: ClipScorer, spec: InputSpec, views: WholeFrameViews
) -> FloatArray:
    """Average the scores of all views of one video: float32 (M,).

    The video is decoded twice: to count its frames, and for those that are needed.

    Raises:
        SourceError: if it cannot be read to its end, or has no frame in the stretch.
    """
    total = sum(1 for _ in frames_of(sample))
    if not total:
        raise SourceError("no frame in its stretch of time")
    chosen = view_frames(
        total, clip_len=spec.clip_len, frame_interval=spec.frame_interval, clips=views.clips
    )
    wanted = set(chosen.ravel().tolist())
    images: Images = {
        number: scale_short_side(frame.image, views.side)
        for number, frame in enumerate(frames_of(sample))
        if number in wanted
    }
    rows = [
        recognizer.predict([clip])[0]
        for numbers in chosen.tolist()
        for clip in _crops([images[number] for number in numbers], views)
    ]
    return np.asarray(np.mean(rows, axis=0, dtype=np.float64), np.float32)


def _crops(
    images: Sequence[NDArray[np.uint8]], views: WholeFrameViews
) -> Iterator[NDArray[np.uint8]]:
    """Yield the crops of one clip, uint8 (T, side, side, 3) each."""
    side = views.side
    height, width = images[0].shape[:2]
    for top, left in crop_corners(height, width, side, views.crops):
        yield np.stack([image[top : top + side, left : left + side] for image in images])


def views_identity(views: WholeFrameViews) -> str:
    """Return text that differs where other views are averaged."""
    return json.dumps(asdict(views))
