"""Draw what is known about a frame into a copy of it: people, actions, the latest events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.events import ActionEvent
from pipeline.time_text import format_media_time
from pipeline.types import Frame, Image, TrackedFrame, TrackedGroup

Colour = tuple[int, int, int]  # BGR

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (0, 0, 0)
# Of the palette of Okabe and Ito, whose colours colour-blind people tell apart; their lightness
# differs too. docs/replay.md has the legend.
WATCHED: Colour = (233, 180, 86)  # sky blue: a person without an ongoing action
ACTING: Colour = (0, 159, 230)  # orange: a person with one
_GROUP_DISTANCE = 0.02  # between the boxes of a group and its members, of the longer side
_LEAST_DISTANCE = 6.0  # of the two, pixels: their lines do not touch
_PANEL_MIN_HEIGHT = 360  # smaller images have no room for the list of events
_PANEL_DARKENING = 0.45


def draw_frame(
    tracked: TrackedFrame,
    actions: Mapping[int, Sequence[ActionEvent]],
    latest: Sequence[ActionEvent],
    group_actions: Mapping[int, Sequence[ActionEvent]] | None = None,
) -> Image:
    """Draw boxes, labels, the camera's name, media time, and a list of events.

    Args:
        tracked: the frame, its people and their groups.
        actions: by the first track id of the person, the newest event of each ongoing action.
        latest: events to list at the bottom, oldest first.
        group_actions: by group id, the newest event of each ongoing action.

    Returns:
        uint8 (H, W, 3) BGR, a new array.
    """
    canvas = Canvas(tracked.frame.image.copy())
    of_groups = group_actions or {}
    names = {one.track_id: _name(one.track_ids or (one.track_id,)) for one in tracked.people}
    marks = [
        _group_mark(group, names, of_groups.get(group.group_id, ())) for group in tracked.groups
    ]
    members = {
        track_id: events
        for group in tracked.groups
        if (events := of_groups.get(group.group_id))
        for track_id in group.members
    }
    for mark in marks:
        canvas.draw_box(mark.xyxy, mark.colour)
    for person in tracked.people:
        mine = actions.get(person.track_id, ())
        acting = mine or members.get(person.track_id, ())
        marks.append(_Mark(names[person.track_id], person.xyxy, mine, box_colour(acting)))
        canvas.draw_box(person.xyxy, box_colour(acting))
    canvas.draw_caption(tracked.frame)
    # From the highest box down: a label whose place is occupied moves up.
    canvas.draw_labels(sorted(marks, key=lambda one: float(one.xyxy[1])))
    canvas.draw_panel([event_line(event) for event in latest])
    return canvas.image


@dataclass(frozen=True, slots=True, eq=False)
class LabelledBox:
    """A person's box, and what is written above it."""

    label: str
    xyxy: NDArray[np.float32]  # float32 (4,) pixels


def draw_subjects(image: Image, boxes: Sequence[LabelledBox], caption: str) -> None:
    """Draw the people in question into an image, in place, and a text in the top left corner.

    Args:
        image: uint8 (H, W, 3) BGR.
        boxes: of the people.
        caption: such as the camera's name and the time.
    """
    canvas = Canvas(image)
    for box in boxes:
        canvas.draw_box(box.xyxy, ACTING)
    canvas.draw_text(caption)
    marks = [_Mark(box.label, box.xyxy, (), ACTING) for box in boxes]
    canvas.draw_labels(sorted(marks, key=lambda one: float(one.xyxy[1])))


def box_colour(actions: Sequence[ActionEvent]) -> Colour:
    """Return the BGR colour of a box and its labels, which says whether an action is ongoing.

    Args:
        actions: the ongoing actions of the person or group.
    """
    return ACTING if actions else WATCHED


def event_line(event: ActionEvent) -> str:
    """Format an event as one short line of the list at the bottom."""
    if event.kind == "end":
        when_s = event.end_pts_s
        what = f"ended after {event.end_pts_s - event.start_pts_s:.1f} s"
    else:
        when_s = event.start_pts_s
        what = f"{event.score:.0%}"
    who = (
        _name(event.track_ids or event.people)
        if event.group_id is None
        else f"group {event.group_id}"
    )
    return f"{format_media_time(when_s)}  {who} {event.action} {what}"


@dataclass(frozen=True, slots=True, eq=False)
class _Mark:
    """A box and what stands above it."""

    name: str
    xyxy: NDArray[np.float32]  # float32 (4,) pixels
    actions: Sequence[ActionEvent]
    colour: Colour


def _name(track_ids: Sequence[int]) -> str:
    """Return what a person is called: the first id, which stays, and the newest, as events say."""
    first, newest = track_ids[0], track_ids[-1]
    return f"#{first}" if newest == first else f"#{first}>{newest}"


def _group_mark(
    group: TrackedGroup, names: Mapping[int, str], actions: Sequence[ActionEvent]
) -> _Mark:
    """Return a group's mark, a little outside of its members' boxes, so that all are seen."""
    members = " ".join(names.get(track_id, f"#{track_id}") for track_id in group.members)
    low, high = group.xyxy[:2], group.xyxy[2:]
    more = max(_LEAST_DISTANCE, _GROUP_DISTANCE * float((high - low).max()))
    xyxy = np.concatenate([low - more, high + more]).astype(np.float32)
    return _Mark(f"group {group.group_id} ({members})", xyxy, actions, box_colour(actions))


class Canvas:
    """An image that is drawn on, with line widths and text in proportion to its size."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self._height, self._width = map(int, image.shape[:2])
        shorter = min(self._height, self._width)
        self._scale = max(0.34, shorter / 1250)  # of the font; 0.46 at 576 lines, 0.86 at 1080
        self._weight = 2 if self._scale > 0.8 else 1
        self.line_px: int = max(1, round(shorter / 320))
        (_, letter_height), baseline = cv2.getTextSize("Hg", _FONT, self._scale, self._weight)
        self._ascent = letter_height
        self._padding: int = max(2, letter_height // 3)
        self.row_px: int = letter_height + baseline // 2 + 2 * self._padding
        self._labels: list[tuple[int, int, int, int]] = []  # left, top, right, bottom; pixels

    def draw_box(self, xyxy: NDArray[np.float32], colour: Colour) -> None:
        """Draw the sides of a box, given as (4,) corners in pixels."""
        x1, y1, x2, y2 = (round(float(side)) for side in xyxy)
        cv2.rectangle(self.image, (x1, y1), (x2, y2), _BLACK, self.line_px + 2, cv2.LINE_AA)
        cv2.rectangle(self.image, (x1, y1), (x2, y2), colour, self.line_px, cv2.LINE_AA)

    def draw_labels(self, marks: Sequence[_Mark]) -> None:
        """Draw the name and one row per action above each box; higher if the place is occupied."""
        placed = []
        for mark in marks:
            texts = [f"{event.action} {event.score:.0%}" for event in mark.actions] or [""]
            texts[0] = f"{mark.name} {texts[0]}".rstrip()
            left, bottom = round(float(mark.xyxy[0])), round(float(mark.xyxy[1]))
            top = self._reserve(texts, left, bottom - len(texts) * self.row_px)
            placed.append((texts, left, top, mark.colour))
            end = (left, min(top + len(texts) * self.row_px, bottom))
            cv2.line(self.image, (left, bottom), end, placed[-1][3], self.line_px, cv2.LINE_AA)
        for texts, left, top, colour in placed:  # after all lines, which would cross the labels
            for number, text in enumerate(texts):
                self.filled_text(text, left, top + number * self.row_px, colour)

    def draw_caption(self, frame: Frame) -> None:
        """Draw camera and media time in the top left corner."""
        self.draw_text(f"{frame.camera_id}  {format_media_time(frame.pts_s)}")

    def draw_text(self, text: str) -> None:
        """Draw a line of text in the top left corner."""
        self._reserve([text], 0, 0)
        self.filled_text(text, 0, 0, _BLACK, ink=_WHITE)

    def draw_panel(self, lines: Sequence[str]) -> None:
        """Draw lines of text in the bottom left corner on a darkened background."""
        if not lines or self._height < _PANEL_MIN_HEIGHT:
            return
        width = max(self.text_width(line) for line in lines) + 2 * self._padding
        top = max(0, self._height - len(lines) * self.row_px - 2 * self._padding)
        ground = self.image[top:, :width]
        ground[:] = cv2.convertScaleAbs(ground, alpha=_PANEL_DARKENING)
        for number, line in enumerate(lines):
            baseline = top + 2 * self._padding + number * self.row_px + self._ascent
            self._text(line, 2 * self._padding, baseline, _WHITE)

    def _reserve(self, texts: Sequence[str], left: int, top: int) -> int:
        """Reserve a place for rows of text, at `top` or the next free one above it.

        Returns:
            The top of the place, pixels.
        """
        width = max(self.text_width(text) for text in texts)
        height = len(texts) * self.row_px
        left = self._inside(left, width)
        for _ in self._labels:  # each pass moves past at least one label
            blocking_tops = [
                other_top
                for other_left, other_top, other_right, other_bottom in self._labels
                if left < other_right and other_left < left + width
                if top < other_bottom and other_top < top + height
            ]
            if not blocking_tops:
                break
            top = min(blocking_tops) - height
        top = max(top, 0)  # the edge of the image: here labels may overlap
        self._labels.append((left, top, left + width, top + height))
        return top

    def filled_text(
        self, text: str, left: int, top: int, fill: Colour, ink: Colour | None = None
    ) -> None:
        """Write a line of text on a filled ground, moved into the image where it would leave it.

        Args:
            text: what is written.
            left: of the ground, pixels.
            top: likewise.
            fill: colour of the ground.
            ink: of the text; None: black or white, whichever contrasts more.
        """
        width = self.text_width(text)
        left, top = self._inside(left, width), max(0, min(top, self._height - self.row_px))
        corner = (left + width, top + self.row_px)
        cv2.rectangle(self.image, (left, top), corner, fill, cv2.FILLED)
        baseline = top + self._padding + self._ascent
        self._text(text, left + self._padding, baseline, ink or _ink_on(fill))

    def _text(self, text: str, left: int, baseline: int, ink: Colour) -> None:
        text, place = _drawable(text), (left, baseline)
        cv2.putText(self.image, text, place, _FONT, self._scale, ink, self._weight, cv2.LINE_AA)

    def text_width(self, text: str) -> int:
        """Return the width of a text with its ground, pixels."""
        size, _ = cv2.getTextSize(_drawable(text), _FONT, self._scale, self._weight)
        return int(size[0]) + 2 * self._padding

    def _inside(self, left: int, width: int) -> int:
        return max(0, min(left, self._width - width))


def _ink_on(fill: Colour) -> Colour:
    """Return black or white, whichever contrasts more; luma weights of ITU-R BT.601."""
    luma = float(np.dot(fill, (0.114, 0.587, 0.299)))
    return _BLACK if luma > 120 else _WHITE


def _drawable(text: str) -> str:
    """Replace what OpenCV's line font lacks: it has ASCII only."""
    return "".join(character if " " <= character <= "~" else "?" for character in text)
