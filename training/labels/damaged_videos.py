"""Read the sound part of a video whose end is damaged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from pipeline.sources.file_decoder import DecodedImage, DecodeError, VideoReader

log = logging.getLogger(__name__)


def frames_before_damage(reader: VideoReader, path: Path) -> Iterator[DecodedImage]:
    """Yield a video's frames; where it is damaged or cut off, stop there with a warning.

    For training alone, where the frames before the damage are as good as those of any other
    video: public data sets have files whose last frames are missing. A caller that counts what
    is found in a video must know that it is incomplete: it reads `VideoReader.frames` instead.

    Args:
        reader: of the video.
        path: named in the warning.

    Raises:
        DecodeError: if not a single frame can be decoded.
    """
    count = 0
    try:
        for frame in reader.frames():
            count += 1
            yield frame
    except DecodeError as error:
        if count == 0:
            raise
        log.warning("%s: %s; the %d frames before are used", path, error, count)
