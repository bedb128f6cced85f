"""What must not be lost with a frame: which tracks and groups ended at it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pipeline.observations.recorded_run import NumberedItem
from pipeline.types import RecognizedFrame, StreamEnd


@dataclass(slots=True)
class CarriedEnds:
    """Ends of lost frames, by camera, until they are added to the camera's next frame.

    Without them, a back-test would keep the actions of these people open.
    """

    _tracks: dict[str, list[int]] = field(default_factory=dict)
    _groups: dict[str, list[int]] = field(default_factory=dict)

    def keep(self, lost: RecognizedFrame) -> None:
        """Take the ends of a frame that is lost."""
        camera_id = lost.tracked.frame.camera_id
        self._tracks.setdefault(camera_id, []).extend(lost.tracked.ended)
        self._groups.setdefault(camera_id, []).extend(lost.tracked.ended_groups)

    def added_to(self, one: NumberedItem) -> NumberedItem:
        """Return an item with the ends of the frames of its camera that were lost before it."""
        tracks = self._tracks.pop(one.camera_id, [])
        groups = self._groups.pop(one.camera_id, [])
        if isinstance(one.item, StreamEnd) or not (tracks or groups):  # all end with the stream
            return one
        tracked = one.item.tracked
        whole = replace(
            tracked,
            ended=(*tracks, *tracked.ended),
            ended_groups=(*groups, *tracked.ended_groups),
        )
        return NumberedItem(one.number, replace(one.item, tracked=whole))
