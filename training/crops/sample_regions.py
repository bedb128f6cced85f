"""Where the person of a sample is, in the pixels and on the clock of its video."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.crops.sample_cut import read_track
from training.labels.samples import DataError, PersonBox, Sample
from training.metrics.event_matching import PersonPath


def region_of(
    sample: Sample, wh: tuple[int, int], frame_pts_s: NDArray[np.float64]
) -> PersonPath | None:
    """The place of a sample's person.

    Args:
        sample: with a box, a track or neither.
        wh: width and height of the video, pixels.
        frame_pts_s: float64 (F,) seconds of every frame.

    Returns:
        None if the sample is of whoever is there.

    Raises:
        DataError: if its track file cannot be read or has other frames than the video.
    """
    if sample.box is None:
        return None
    if isinstance(sample.box, PersonBox):
        scale = np.array([*wh, *wh]) if sample.box.normalized else np.ones(4)
        box = (np.array(sample.box.xyxy) * scale).astype(np.float32)
        return PersonPath(np.zeros(1), box[None])
    track = read_track(sample.box)
    if track.frames[-1] >= len(frame_pts_s):
        raise DataError(
            f"{sample.origin}: {sample.box.path} has frame {track.frames[-1] + 1}, "
            f"{sample.path} has only {len(frame_pts_s)}"
        )
    return PersonPath(frame_pts_s[track.frames], track.xyxy)
