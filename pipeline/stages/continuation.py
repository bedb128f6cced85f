"""Which new tracks continue the people who were lost: by place, size, time and appearance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.boxes import iou_matrix
from pipeline.stages.last_seen import LastSeen
from pipeline.types import TrackedFrame, TrackedPerson

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Likeness:
    """How unlike a lost person and a new track may be.

    What a pair costs is the sum of the squares of its distances in place, size, time and
    appearance, each in units of one of the first five. Chosen on TUD-Campus and the first 560
    frames of PETS09-S2L1 (docs/benchmarks.md).
    """

    reach: float = 0.35  # body lengths between the place that is expected and that of the track,
    reach_per_s: float = 0.6  # and so many more for each second that the person was not seen
    size: float = 0.5  # natural logarithm of the ratio of body lengths
    gap_s: float = 3.0  # seconds in which the person was not seen
    feature_distance: float = 0.35  # cosine distance; depends on the network
    limit: float = 2.0  # largest cost of the same person
    margin: float = 0.5  # by which every other pair of the person or the track must cost more
    # Without appearance the same place may be anyone's, most of all beside another person:
    blind_limit: float = 0.5  # instead of `limit`
    crowded_limit: float = 0.15  # likewise, where the track's box overlaps that of another person
    blind_margin: float = 0.7  # instead of `margin`
    least_life_s: float = 0.5  # who was seen for less than this has nothing to hand over


@dataclass(frozen=True, slots=True)
class Awaited:
    """A lost person, as far as it matters for who continues them."""

    last: LastSeen
    rival_cost: float  # lowest of a new track that was not taken for them since they were lost


@dataclass(frozen=True, slots=True, eq=False)
class Continuations:
    """Who continues whom in one frame, by index of the lost people and of the new tracks."""

    lost_of_new: dict[int, int]
    lowest_costs: list[float]  # of each lost person, over all new tracks


def find_continuations(
    lost: Sequence[Awaited], new: Sequence[TrackedPerson], item: TrackedFrame, likeness: Likeness
) -> Continuations:
    """Find the new tracks that are a lost person with certainty.

    No pair is accepted that shares its person or its track with another pair of nearly the same
    cost. So no person and no track is in two, and no other choice of pairs costs less.

    Args:
        lost: people who are not seen in this frame.
        new: the tracks that begin in this frame, one or more.
        item: the frame.
        likeness: how unlike they may be.
    """
    costs, blind = _costs(lost, new, item, likeness)
    everyone = np.stack([one.xyxy for one in item.people])
    overlaps = iou_matrix(np.stack([one.xyxy for one in new]), everyone) > 0
    crowded = overlaps.sum(axis=1) > 1  # beside itself
    blind_limits = np.where(crowded, likeness.crowded_limit, likeness.blind_limit)
    limits = np.where(blind, blind_limits, likeness.limit)
    found = {}
    for row, column in zip(*np.nonzero(costs <= limits), strict=True):
        person = lost[row]
        if person.last.life_s < likeness.least_life_s:
            continue
        others = [*np.delete(costs[row], column), *np.delete(costs[:, column], row)]
        margin = likeness.blind_margin if blind[row, column] else likeness.margin
        if min(*others, person.rival_cost, math.inf) - costs[row, column] >= margin:
            found[int(column)] = int(row)
    return Continuations(found, costs.min(axis=1).tolist())


def _costs(
    lost: Sequence[Awaited], new: Sequence[TrackedPerson], item: TrackedFrame, likeness: Likeness
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return float64 (L, N) costs, infinite of who left, and bool (L, N): without appearance."""
    pts_s, wh = item.frame.pts_s, item.frame.wh
    boxes = np.stack([one.xyxy for one in new]).astype(np.float64)  # (N, 4)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    lengths = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    costs = np.full((len(lost), len(new)), np.inf)
    blind = np.zeros(costs.shape, bool)
    for row, person in enumerate(lost):
        motion = person.last.motion()
        if motion.has_left(pts_s, wh):
            continue
        gap_s = pts_s - motion.pts_s
        reach = (likeness.reach + likeness.reach_per_s * gap_s) * motion.length
        place = np.hypot(*(centres - motion.centre_at(pts_s)).T) / reach
        size = np.log(lengths / motion.length) / likeness.size
        looks = np.array([_distance(person.last.feature, one) for one in new])
        blind[row] = np.isnan(looks)
        looks = np.where(blind[row], 0.0, looks / likeness.feature_distance)
        costs[row] = place**2 + size**2 + (gap_s / likeness.gap_s) ** 2 + looks**2
    return costs, blind


def _distance(mean: NDArray[np.float32] | None, one: TrackedPerson) -> float:
    """Return the cosine distance of a mean feature and a new one; nan where there is none."""
    if mean is None or one.feature is None:
        return math.nan
    return 1.0 - float(mean @ one.feature) / max(float(np.linalg.norm(mean)), 1e-12)
