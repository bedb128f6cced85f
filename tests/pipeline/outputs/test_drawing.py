"""What is drawn is where it belongs, in the person's colour, and the frame itself stays clean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.events import ActionEvent
from pipeline.outputs.drawing import (
    ACTING,
    WATCHED,
    Colour,
    box_colour,
    draw_frame,
    event_line,
)
from pipeline.types import Image, TrackedGroup
from tests.pipeline.decided_items import make_event, make_item, make_person

GREY = 90


def grey_image(width: int = 640, height: int = 480) -> Image:
    return np.full((height, width, 3), GREY, np.uint8)


def rows_with(image: Image, colour: Colour) -> list[int]:
    """Rows in which the exact colour covers more than a line is wide."""
    counts = (image == np.array(colour, np.uint8)).all(axis=2).sum(axis=1)
    return [int(row) for row in np.flatnonzero(counts > 10)]


def test_the_frame_that_came_in_is_not_drawn_on() -> None:
    image = grey_image()
    item = make_item(image=image, people=[make_person(1, (100, 100, 200, 300))])

    drawn = draw_frame(item.tracked, {}, [make_event()])

    assert (image == GREY).all()
    assert drawn.shape == image.shape
    assert (drawn != GREY).any()


def test_a_box_stands_on_the_person_in_the_colour_of_whether_an_action_is_ongoing() -> None:
    item = make_item(image=grey_image(), people=[make_person(5, (100, 200, 220, 400))])

    for actions, colour in (({}, WATCHED), ({5: [make_event()]}, ACTING), ({6: []}, WATCHED)):
        drawn = draw_frame(item.tracked, actions, [])
        for x, y in [(100, 300), (220, 300), (160, 200), (160, 400)]:
            assert tuple(drawn[y, x]) == colour
        assert (drawn[210:390, 110:210] == GREY).all()


def test_the_colours_differ_for_every_kind_of_colour_blindness() -> None:
    """As Vienot, Brettel and Mollon (1999) simulate it, in linear light; and in lightness."""
    to_linear = [((np.array(colour[::-1]) / 255) ** 2.2) for colour in (WATCHED, ACTING)]
    protan = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
    deutan = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    for matrix in (np.eye(3), protan, deutan):
        first, second = (matrix @ linear for linear in to_linear)
        assert np.abs(first - second).max() > 0.5


def test_an_action_adds_a_row_to_the_label_above_the_box() -> None:
    item = make_item(image=grey_image(), people=[make_person(5, (100, 200, 220, 400))])
    first, second = make_event(action="walking"), make_event(action="waving")

    def label_height(actions: dict[int, list[ActionEvent]]) -> int:
        colour = box_colour(actions.get(5, ()))
        return 200 - min(rows_with(draw_frame(item.tracked, actions, []), colour))

    heights = [
        label_height(actions) for actions in ({}, {5: [first]}, {5: [first, second]}, {6: [first]})
    ]

    assert heights[0] == heights[1] > 5  # the first action stands beside the id
    assert heights[2] > 1.8 * heights[1]
    assert heights[3] == heights[0]  # an action of another person


def test_labels_of_a_crowd_do_not_cover_each_other() -> None:
    people = [make_person(n, (100 + 8 * n, 300, 120 + 8 * n, 380)) for n in range(1, 6)]
    item = make_item(image=grey_image(), people=people)
    actions = {n: [make_event(track_id=n)] for n in range(1, 6)}

    alone = make_item(image=grey_image(), people=people[:1])

    rows_of_all, rows_of_one = (
        len(rows_with(draw_frame(one.tracked, actions, [])[:295], ACTING)) for one in (item, alone)
    )
    assert rows_of_one > 10
    assert rows_of_all >= 5 * (rows_of_one - 1)  # edges may touch


def test_a_label_at_the_edge_stays_inside_the_image() -> None:
    people = [make_person(1, (0, 0, 40, 90)), make_person(2, (630, 470, 640, 480))]
    item = make_item(image=grey_image(), people=people)

    drawn = draw_frame(item.tracked, {2: [make_event(action="a very long action name")]}, [])

    assert rows_with(drawn, WATCHED)
    assert len(rows_with(drawn, ACTING)) > 10


@pytest.mark.parametrize("size", [(16, 16), (64, 48), (426, 240), (1920, 1080), (241, 1001)])
def test_any_image_size_can_be_drawn_on(size: tuple[int, int]) -> None:
    width, height = size
    person = make_person(1, (width * 0.2, height * 0.2, width * 0.8, height * 0.9))
    item = make_item(image=grey_image(width, height), people=[person], camera_id="Tür 1")

    drawn = draw_frame(item.tracked, {1: [make_event(action="говорит")]}, [make_event()] * 9)

    assert drawn.shape == (height, width, 3)
    assert (drawn != GREY).any()


def test_the_list_shows_when_an_action_began_and_how_long_it_took() -> None:
    assert event_line(make_event(start_pts_s=61.0)) == "1:01.0  #7 walking 75%"
    assert event_line(make_event(track_ids=[3, 5, 7])) == "0:01.0  #3>7 walking 75%"
    assert event_line(make_event(kind="end")) == "0:03.5  #7 walking ended after 2.5 s"


def test_a_group_has_a_box_and_its_action_colours_its_members() -> None:
    people = [make_person(4, (200, 200, 240, 300)), make_person(5, (260, 200, 300, 300))]
    item = make_item(image=grey_image(), people=people)
    group = TrackedGroup(2, (4, 5), np.array([200, 200, 300, 300], np.float32))
    tracked = replace(item.tracked, groups=(group,))
    hug = make_event(action="hug", track_id=None, group_id=2, members=(4, 5))

    for of_groups, colour in (({}, WATCHED), ({2: [hug]}, ACTING), ({9: [hug]}, WATCHED)):
        drawn = draw_frame(tracked, {}, [], of_groups)
        for x, y in [(194, 250), (306, 250), (250, 306)]:  # around the members
            assert tuple(drawn[y, x]) == colour
        for x, y in [(200, 250), (260, 250)]:  # the members
            assert tuple(drawn[y, x]) == colour
    assert event_line(hug) == "0:01.0  group 2 hug 75%"
