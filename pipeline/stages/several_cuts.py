"""Cut the clips of several recognizers out of the same frames."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from itertools import tee
from typing import TypeAlias

from pipeline.types import ClippedFrame, StreamEnd, TrackedFrame

Tracked: TypeAlias = Iterable[TrackedFrame | StreamEnd]
Cut: TypeAlias = Callable[[Tracked], Iterable[ClippedFrame | StreamEnd]]


def cut_for_several(
    items: Tracked, cuts: Sequence[Cut]
) -> Generator[ClippedFrame | StreamEnd, None, None]:
    """Run several clip stages in step over the same frames, and join what they cut.

    Args:
        items: frames of any number of cameras, each camera's in order.
        cuts: clip stages, by the number of their recognizer; each yields an item per item.

    Yields:
        One item per item, in order; every clip carries its recognizer's number.
    """
    copies = tee(items, len(cuts))
    # In step: `tee` never holds more than the current item.
    for row in zip(*(cut(copy) for cut, copy in zip(cuts, copies, strict=True)), strict=True):
        first = row[0]
        if isinstance(first, StreamEnd):
            yield first
            continue
        frames = [one for one in row if isinstance(one, ClippedFrame)]
        clips = tuple(
            replace(clip, recognizer=number)
            for number, frame in enumerate(frames)
            for clip in frame.clips
        )
        # Stages that judge groups found the same ones; the others found none.
        tracked = max((frame.tracked for frame in frames), key=_group_count)
        yield ClippedFrame(tracked, clips, frames[-1].clipped_at)


def _group_count(tracked: TrackedFrame) -> int:
    return len(tracked.groups) + len(tracked.ended_groups)
