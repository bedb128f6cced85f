"""Recognize falls and lying people by rules about posture and motion.

Nothing here is trained. All lengths are in body lengths, all constants are stated with their
reason, and where key points are missing the box stands in for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.pose.key_points import HIPS, SHOULDERS
from models.skeleton.skeleton_clip import SkeletonClip, SkeletonSpec

Series = NDArray[np.float64]  # (T,) one value per point in time

# A fall from standing to the ground takes 0.5 to 1 s; with as much before it (was the person
# upright?) and after it (do they stay down?) that is two and a half seconds, in steps in which a
# falling head moves by a tenth of the body's length.
SPEC = SkeletonSpec(
    name="posture_rules", labels=("fall", "lying"), group_labels=(), clip_len=25, interval_s=0.1
)
MIN_CONFIDENCE = 0.3  # of a key point; pose networks give hidden points 0.1 to 0.3

# Each pair is (score 0, score 1) of a ramp.
# Upright: standing people are 2 to 4 times as tall as wide (0.25 to 0.5), walking or with an arm
# out up to 0.7; sitting, squatting and lying people are wider. Their torso leans less than 30 deg.
UPRIGHT_ASPECT = (0.85, 0.65)  # width / height of the box
UPRIGHT_TILT_DEG = (45.0, 30.0)
# Down: the box has lost a third of the body's length in height (sitting on a chair: a quarter) ...
DOWN_HEIGHT = (0.8, 0.65)  # height of the box in body lengths
# ... and the torso is nearer to the horizontal than to the vertical. Sitting and squatting people
# lean by up to 30 deg, for moments, while they sit down, by 50.
DOWN_TILT_DEG = (40.0, 60.0)
# The same by the box alone, where shoulders or hips are hidden. Squatting and sitting people are
# about as wide as tall (0.9 to 1.1), lying ones across the view 1.5 to 4 times as wide.
DOWN_ASPECT = (1.0, 1.4)
# A torso that points at the camera is short in the image, and its direction means nothing then:
# it counts from a sixth of the body's length on. Seen from the side it is 0.3.
MIN_TORSO = 0.15
# Speed at which shoulders (or the upper edge of the box) go down, over the time below. Free fall
# passes 1 body length per second after 0.17 s; sitting down quickly reaches 0.6, bending 0.5.
FALL_SPEED = (0.55, 0.85)  # body lengths per second
FALL_SPAN = 4  # steps of 0.1 s between the two positions that the speed is measured by
# Upright within this time before the fastest drop: who has been down for longer did not fall now.
BEFORE = 12  # steps
# Who is down for one step may be jumping, bending or an error of the detector; three are counted
# in full, two by two thirds. Many people are not detected any more once they lie, so that waiting
# for longer would lose them; `decision` has min_duration_s for those who can wait.
STEPS_DOWN = 3
# Lying: the box across the view is at least half as wide again as tall, and nothing moves by more
# than a few hundredths of the body's length. Breathing and jitter of the detector move the
# centre by 0.05 body lengths per second; crawling by 0.3 and more.
LYING_ASPECT = (1.2, 1.6)
STILL_SPEED = (0.25, 0.1)  # body lengths per second


class PostureRecognizer:
    """Scores of `fall` and `lying` of one person each, from rules."""

    spec = SPEC

    def predict(self, clips: Sequence[SkeletonClip]) -> FloatArray:
        """Score clips of one person.

        Args:
            clips: P = 1 each, on the time grid of `spec`.

        Returns:
            float32 (N, 2) in [0, 1] of `fall` and `lying`. A score is the weakest of its
            conditions: 0 if one is not met at all, 1 if all are met in full.
        """
        scores = np.zeros((len(clips), len(SPEC.labels)), np.float32)
        for row, clip in enumerate(clips):
            posture = Posture.of(clip.key_points[0], clip.xyxy[0])
            scores[row] = posture.fall_score(), posture.lying_score()
        return scores

    def describe(self) -> str:
        """Name it for a log line."""
        return f"{SPEC.name} (fall and lying, from key points and boxes)"


@dataclass(frozen=True, slots=True, eq=False)
class Posture:
    """How one person is held over time; NaN where it is unknown."""

    top: Series  # shoulders, or the box's upper edge moved to where they would be; body lengths
    centre: NDArray[np.float64]  # (T, 2) of the box, body lengths
    height: Series  # of the box, body lengths
    aspect: Series  # width / height of the box
    tilt_deg: Series  # of the torso from upright, 0 to 180; NaN if hidden or pointing at the camera

    @classmethod
    def of(cls, key_points: NDArray[np.float32], xyxy: NDArray[np.float32]) -> Posture:
        """Measure a person.

        Args:
            key_points: float32 (T, 17, 3): x, y in pixels, confidence.
            xyxy: float32 (T, 4) pixels.
        """
        boxes = xyxy.astype(np.float64)
        width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        # The longer side of the box is the body's length, standing or lying; not the maximum,
        # because one box in ten may be wrong.
        length = max(float(np.quantile(np.maximum(width, height), 0.9)), 1.0)
        shoulders, hips = _middle(key_points, SHOULDERS), _middle(key_points, HIPS)
        torso = hips - shoulders
        tilt = np.degrees(np.abs(np.arctan2(torso[:, 0], torso[:, 1])))
        tilt[~(np.hypot(*torso.T) >= MIN_TORSO * length)] = np.nan
        return cls(
            top=_filled(shoulders[:, 1], boxes[:, 1]) / length,
            centre=(boxes[:, :2] + boxes[:, 2:]) / 2 / length,
            height=height / length,
            aspect=width / np.maximum(height, 1.0),
            tilt_deg=tilt,
        )

    @property
    def upright(self) -> Series:
        """(T,) in [0, 1]: how surely the person stands or walks."""
        by_box = ramp(self.aspect, UPRIGHT_ASPECT)
        return np.where(
            np.isnan(self.tilt_deg),
            by_box,
            np.minimum(by_box, ramp(self.tilt_deg, UPRIGHT_TILT_DEG)),
        )

    @property
    def down(self) -> Series:
        """(T,) in [0, 1]: how surely the person is on the ground, and not sitting or squatting."""
        by_box = ramp(self.aspect, DOWN_ASPECT)
        by_torso = np.where(np.isnan(self.tilt_deg), by_box, ramp(self.tilt_deg, DOWN_TILT_DEG))
        return np.minimum(by_torso, ramp(self.height, DOWN_HEIGHT))

    def fall_score(self) -> float:
        """Return how surely the person was upright, went down fast, and is down since then."""
        upright, down = self.upright, self.down
        drop = (self.top[FALL_SPAN:] - self.top[:-FALL_SPAN]) / (FALL_SPAN * SPEC.interval_s)
        best = 0.0
        for start, speed in enumerate(ramp(drop, FALL_SPEED)):
            if speed <= best:
                continue
            before = upright[max(0, start - BEFORE) : start + FALL_SPAN].max()
            since = down[start + 1 :]
            newest = since[-STEPS_DOWN:]
            stays = newest.sum() / STEPS_DOWN
            best = max(best, float(min(speed, before, stays)))
        return best

    def lying_score(self) -> float:
        """Return how surely the person lies, and does not move, over the whole clip."""
        lies = np.minimum(ramp(self.aspect, LYING_ASPECT), self.down)
        step_s = SPEC.interval_s
        # Over half a second, so that the jitter of single boxes is not taken for motion.
        half_s = round(0.5 / step_s)
        moved = np.hypot(*(self.centre[half_s:] - self.centre[:-half_s]).T) / (half_s * step_s)
        still = ramp(np.quantile(moved, 0.8), STILL_SPEED)
        return float(min(np.quantile(lies, 0.2), still))


def ramp(value: Series | float, ends: tuple[float, float]) -> Series:
    """Return 0 up to the first end, 1 from the second on, a straight line between; NaN gives 0."""
    none, full = ends
    return np.nan_to_num(np.clip((np.asarray(value) - none) / (full - none), 0.0, 1.0))


def _middle(key_points: NDArray[np.float32], pair: tuple[int, int]) -> NDArray[np.float64]:
    """Return (T, 2) the middle of those of two points that were found; NaN if none was."""
    points = key_points[:, list(pair)].astype(np.float64)
    found = points[..., 2:] >= MIN_CONFIDENCE
    count = found.sum(axis=1)
    return np.asarray(
        np.where(count > 0, (points[..., :2] * found).sum(axis=1) / np.maximum(count, 1), np.nan)
    )


def _filled(shoulders: Series, box_top: Series) -> Series:
    """Fill missing shoulders by the box's upper edge plus their usual distance from it.

    The distance is the median over the clip: a point that is missing for a moment then makes no
    jump that looks like a fall.
    """
    found = ~np.isnan(shoulders)
    below = float(np.median((shoulders - box_top)[found])) if found.any() else 0.0
    return np.where(found, shoulders, box_top + below)
