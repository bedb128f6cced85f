"""Choose the people of a video to train on, their label and their stretch of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from training.crops.person_tracks import PersonTrack, touches_another
from training.recipe.compact_sources import Rule

MIN_FRAMES = 3
MIN_SEEN_FRACTION, FULL_FRAMES = (
    0.5,
    30,
)  # a person is seen in half of a video, or of two seconds of it
MIN_BODY_PX = 24.0
MIN_SPAN_S = 1.6  # of a stretch of walking or standing
NEARS_FROM = 0.1  # change of body height per second of a person who walks along the line of sight
# In ut_interaction people stand before and after they act; the middle of a clip's window stays
# within this part of the video.
ACTED_PART = (0.3, 0.7)
CLIP_SPAN_S = 2.0
TOGETHER = ("fight", "handshake", "hug", "kick", "point", "punch", "push")
INTERACTIONS = tuple(label for label in TOGETHER if label != "fight")
# Body heights per second. On PETS09-S2L1 (4476 boxes, at the 10 fps of its container) speeds
# spread from 0 to 1.4 with a dip between 0.1 and 0.2: people below it shift their weight, people
# from 0.35 on take steps. In between both are seen, so nothing there is trained on.
STAND_BELOW = 0.2
WALK_ABOVE = 0.35
SMOOTH_S = 1.0
NAMES = ("stand", "walk")


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """One person does one thing."""

    label: str
    track: PersonTrack  # its frames are indices of the sampled frames
    start_s: float
    end_s: float


def people_of(
    tracks: Sequence[PersonTrack], pts_s: NDArray[np.float64], *, label: str, rule: Rule
) -> list[Stretch]:
    """Find what the people of one video show.

    Args:
        tracks: linked detections; their frames are indices into `pts_s`.
        pts_s: float64 (N,) times of the sampled frames.
        label: of everybody, where the rule is "as labelled".
        rule: "by speed" takes the stretches in which a person clearly walks or stands.

    Returns:
        In the order of the tracks. Of fights and interactions only people close to another one,
        if there are any: bystanders do not take part.
    """
    needed = max(MIN_FRAMES, MIN_SEEN_FRACTION * min(len(pts_s), FULL_FRAMES))
    seen = [track for track in tracks if len(track) >= needed and _body_px(track) >= MIN_BODY_PX]
    if rule == "by speed":
        return [stretch for track in seen for stretch in _by_speed(track, pts_s)]
    if rule == "walk":
        return [_whole("walk", track, pts_s) for track in seen]
    if label in TOGETHER:
        close = [
            track
            for track in seen
            if touches_another(track, [other for other in tracks if other is not track])
        ]
        seen = close or seen
    return [_labelled(label, track, pts_s) for track in seen]


def _labelled(label: str, track: PersonTrack, pts_s: NDArray[np.float64]) -> Stretch:
    whole = _whole(label, track, pts_s)
    if label in INTERACTIONS:
        return _acted(whole)
    if label == "nothing" and np.median(body_speed(pts_s[track.frames], track.xyxy)) >= WALK_ABOVE:
        # Or "nothing" would be the name of a kind of camera.
        return _whole("walk", track, pts_s)
    return whole


def _whole(label: str, track: PersonTrack, pts_s: NDArray[np.float64]) -> Stretch:
    return Stretch(label, track, float(pts_s[track.frames[0]]), float(pts_s[track.frames[-1]]))


def _acted(whole: Stretch) -> Stretch:
    """Cut the part in which clips have their middle in `ACTED_PART`."""
    length_s = whole.end_s - whole.start_s
    first, last = (whole.start_s + part * length_s for part in ACTED_PART)
    start_s = max(whole.start_s, first - CLIP_SPAN_S / 2)
    end_s = min(whole.end_s, last + CLIP_SPAN_S / 2)
    return Stretch(whole.label, whole.track, start_s, end_s)


def _by_speed(track: PersonTrack, pts_s: NDArray[np.float64]) -> list[Stretch]:
    times = pts_s[track.frames]
    speed = body_speed(times, track.xyxy)
    nears = height_change(times, track.xyxy) >= NEARS_FROM
    unclear = (STAND_BELOW + WALK_ABOVE) / 2
    speed = np.where(nears & (speed <= STAND_BELOW), unclear, speed)
    return [
        Stretch(label, track[rows], float(times[rows][0]), float(times[rows][-1]))
        for label, rows in speed_runs(speed, times, MIN_SPAN_S)
    ]


def _body_px(track: PersonTrack) -> float:
    return float(np.median(track.xyxy[:, 3] - track.xyxy[:, 1]))


def body_speed(pts_s: NDArray[np.float64], xyxy: FloatArray) -> NDArray[np.float64]:
    """Measure how fast the feet move across the image.

    Args:
        pts_s: float64 (N,) growing, N >= 2.
        xyxy: float32 (N, 4) boxes of one person.

    Returns:
        float64 (N,) body heights per second, over the second around each box.
    """
    feet = np.stack([(xyxy[:, 0] + xyxy[:, 2]) / 2, xyxy[:, 3]], axis=1)
    before = np.maximum(pts_s - SMOOTH_S / 2, pts_s[0])
    after = np.minimum(pts_s + SMOOTH_S / 2, pts_s[-1])
    moved = [np.interp(after, pts_s, c) - np.interp(before, pts_s, c) for c in feet.T]
    body_height = float(np.median(xyxy[:, 3] - xyxy[:, 1]))
    return np.asarray(np.hypot(*moved) / (after - before) / body_height)


def height_change(pts_s: NDArray[np.float64], xyxy: FloatArray) -> NDArray[np.float64]:
    """Measure how fast a person gets taller or smaller: nears the camera or leaves it.

    Args:
        pts_s: float64 (N,) growing, N >= 2.
        xyxy: float32 (N, 4) boxes of one person.

    Returns:
        float64 (N,) without sign, fraction of the height per second, over one second.
    """
    height = np.log(np.maximum(xyxy[:, 3] - xyxy[:, 1], 1.0))
    before = np.maximum(pts_s - SMOOTH_S / 2, pts_s[0])
    after = np.minimum(pts_s + SMOOTH_S / 2, pts_s[-1])
    changed = np.interp(after, pts_s, height) - np.interp(before, pts_s, height)
    return np.asarray(np.abs(changed) / (after - before))


def speed_runs(
    speed: NDArray[np.float64], pts_s: NDArray[np.float64], min_span_s: float
) -> list[tuple[str, slice]]:
    """Find stretches in which a person only walks or only stands.

    Args:
        speed: float64 (N,) body heights per second.
        pts_s: float64 (N,) growing.
        min_span_s: shorter stretches are skipped.

    Returns:
        (label, rows) for each, in order; rows between the two speeds belong to none.
    """
    codes = np.where(speed <= STAND_BELOW, 0, np.where(speed >= WALK_ABOVE, 1, -1))
    borders = np.flatnonzero(np.diff(codes)) + 1
    runs = []
    for start, stop in zip([0, *borders], [*borders, len(codes)], strict=True):
        if codes[start] >= 0 and pts_s[stop - 1] - pts_s[start] >= min_span_s:
            runs.append((NAMES[codes[start]], slice(int(start), int(stop))))
    return runs
