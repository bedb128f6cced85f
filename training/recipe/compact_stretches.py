"""Which people of a video are learned, as what, and from when to when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.crops.person_tracks import PersonTrack, touches_another
from training.recipe.compact_sources import Rule
from training.recipe.labels import STAND_BELOW, WALK_ABOVE, body_speed, height_change, speed_runs

MIN_LOOKS = 3
MIN_SEEN_FRACTION, FULL_LOOKS = (
    0.5,
    30,
)  # a person is seen in half of a video, or of two seconds of it
MIN_BODY_PX = 24.0
MIN_SPAN_S = 1.6  # of a stretch of walking or standing
NEARS_FROM = 0.1  # change of body height per second of somebody who walks along the line of sight
# In ut_interaction people stand before and after they act; the middle of a clip's window stays
# within this part of the video.
ACTED_PART = (0.3, 0.7)
CLIP_SPAN_S = 2.0
TOGETHER = ("fight", "handshake", "hug", "kick", "point", "punch", "push")
INTERACTIONS = tuple(label for label in TOGETHER if label != "fight")


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Somebody does one thing."""

    label: str
    track: PersonTrack  # its frames are indices of looks
    start_s: float
    end_s: float


def people_of(
    tracks: Sequence[PersonTrack], pts_s: NDArray[np.float64], *, label: str, rule: Rule
) -> list[Stretch]:
    """What the people of one video teach.

    Args:
        tracks: linked detections; their frames are indices into `pts_s`.
        pts_s: float64 (N,) times of the looks.
        label: of everybody, where the rule is "as labelled".
        rule: "by speed" takes the stretches in which somebody clearly walks or stands.

    Returns:
        In the order of the tracks. Of fights and interactions only people close to somebody,
        where anybody is: bystanders do not take part.
    """
    needed = max(MIN_LOOKS, MIN_SEEN_FRACTION * min(len(pts_s), FULL_LOOKS))
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
    """The part in which clips have their middle in `ACTED_PART`."""
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
