"""Decode the stretch of a video that a sample is of."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.video_files import VideoFile, read_frames
from pipeline.types import Frame
from training.labels.samples import Sample


def frames_of(sample: Sample) -> Iterator[Frame]:
    """Decode the frames of a sample's stretch, one at a time.

    Raises:
        SourceError: if the video cannot be read to the end of the stretch.
    """
    start_s = sample.start_s or 0.0
    end_s = np.inf if sample.end_s is None else sample.end_s
    reader = read_frames(
        VideoFile(sample.path.stem, sample.path),
        stop=threading.Event(),
        now=time.time,
        opened=lambda name, info: None,
    )
    with closing(reader) as items:
        for item in items:
            if not isinstance(item, Frame):
                if item.error:
                    raise SourceError(item.error)
                return
            if item.pts_s >= end_s:
                return
            if item.pts_s >= start_s:
                yield item
