"""What every tracker must do, whichever it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models.detections import Detections
from pipeline.stages.deep_sort import DeepSortTracker
from pipeline.stages.tracking import Tracker
from pipeline.stages.ultralytics_trackers import UltralyticsTracker
from tests.pipeline.walkers import MeanColorEncoder, Seen, Walker, follow, id_of, render

NewTracker = Callable[[], Tracker]
MAX_AGE = 8
RED, BLUE = (0, 0, 255), (255, 0, 0)
TO_THE_RIGHT = Walker(RED, (40, 100), (5, 0))
TO_THE_LEFT = Walker(BLUE, (240, 118), (-5, 0))


def deep_sort() -> Tracker:
    return DeepSortTracker(
        MeanColorEncoder(),
        max_age=MAX_AGE,
        n_init=3,
        max_iou_distance=0.7,
        max_cosine_distance=0.2,
        nn_budget=10,
    )


def byte_track() -> Tracker:
    return UltralyticsTracker("bytetrack", max_age=MAX_AGE, high_confidence=0.5)


def bot_sort() -> Tracker:
    return UltralyticsTracker("botsort", max_age=MAX_AGE, high_confidence=0.5)


@pytest.fixture(params=[deep_sort, byte_track, bot_sort], ids=lambda new: new.__name__)
def new_tracker(request: pytest.FixtureRequest) -> NewTracker:
    factory: NewTracker = request.param
    return factory


def test_crossing_people_keep_their_ids(new_tracker: NewTracker) -> None:
    seen = follow(new_tracker(), [TO_THE_RIGHT, TO_THE_LEFT], 40)
    for walker in (TO_THE_RIGHT, TO_THE_LEFT):
        before, after = id_of(walker, seen[5], 5), id_of(walker, seen[39], 39)
        assert before is not None
        assert before == after


def test_a_short_occlusion_keeps_the_id(new_tracker: NewTracker) -> None:
    walker = Walker(RED, (40, 100), (4, 0), hidden=range(15, 20))
    seen = follow(new_tracker(), [walker], 30)
    assert id_of(walker, seen[14], 14) == id_of(walker, seen[29], 29) is not None
    assert all(not people for people, _ in seen[15:20]), "a prediction was reported as a person"


def test_a_track_that_ends_is_reported_once(new_tracker: NewTracker) -> None:
    leaver, stayer = Walker(RED, (60, 100), (3, 0), leaves_at=10), Walker(BLUE, (200, 100), (0, 1))
    seen = follow(new_tracker(), [leaver, stayer], 60)
    ended = [(index, track_id) for index, (_, ids) in enumerate(seen) for track_id in ids]
    assert [track_id for _, track_id in ended] == [id_of(leaver, seen[9], 9)]
    assert 10 + MAX_AGE <= ended[0][0] <= 10 + MAX_AGE + 3


def test_every_reported_track_ends_when_no_person_is_left(new_tracker: NewTracker) -> None:
    walkers = [
        Walker(RED, (60, 100), (3, 0), leaves_at=10),
        Walker(BLUE, (9, 60), (1, 1), leaves_at=9),
    ]
    seen = follow(new_tracker(), walkers, 40)
    reported = {person.track_id for people, _ in seen for person in people}
    ended = [track_id for _, ids in seen for track_id in ids]
    assert sorted(ended) == sorted(reported)
    assert len(reported) == 2


def test_a_returning_person_gets_an_id_that_no_person_had(new_tracker: NewTracker) -> None:
    walker = Walker(RED, (60, 100), (0, 0), hidden=range(10, 40))
    seen = follow(new_tracker(), [walker], 50)
    assert id_of(walker, seen[9], 9) != id_of(walker, seen[49], 49)


def test_cameras_do_not_know_of_each_other(new_tracker: NewTracker) -> None:
    alone = follow(new_tracker(), [TO_THE_RIGHT], 12)
    tracker, other = new_tracker(), new_tracker()
    together = []
    for index in range(12):
        together.append(tracker.update(*render([TO_THE_RIGHT], index)))
        other.update(*render([TO_THE_LEFT, TO_THE_RIGHT], index, "yard"))
        if index == 6:
            new_tracker()  # in ultralytics before 8.4 this made all others begin at 1 again
    assert ids(together) == ids(alone)


def test_a_person_is_given_with_the_box_and_confidence_of_the_detection(
    new_tracker: NewTracker,
) -> None:
    tracker = new_tracker()
    walkers = [TO_THE_LEFT, TO_THE_RIGHT]
    for index in range(10):
        frame, detections = render(walkers, index)
        people, _ = tracker.update(frame, detections)
    assert [p.track_id for p in people] == sorted(p.track_id for p in people)
    given = sorted((*p.xyxy.tolist(), p.confidence) for p in people)
    expected = np.column_stack([detections.xyxy, detections.confidence]).tolist()
    assert given == sorted(map(tuple, expected))


def test_boxes_that_are_no_boxes_change_nothing(new_tracker: NewTracker) -> None:
    clean, disturbed = new_tracker(), new_tracker()
    for index in range(40):
        frame, detections = render([TO_THE_RIGHT, TO_THE_LEFT], index)
        broken = np.array(
            [[np.nan, 0, 5, 5], [9, 9, 9, 50], [-50, 5, -20, 50], [0, 0, np.inf, np.nan]],
            np.float32,
        )
        worse = Detections(
            np.concatenate([broken[:2], detections.xyxy[:1], broken[2:], detections.xyxy[1:]]),
            np.insert(detections.confidence, [0, 0, 1, 1], 0.95).astype(np.float32),
        )
        expected, found = clean.update(frame, detections), disturbed.update(frame, worse)
        assert ids([found]) == ids([expected])


def test_the_same_frames_give_the_same_people_again(new_tracker: NewTracker) -> None:
    first, second = (follow(new_tracker(), [TO_THE_RIGHT, TO_THE_LEFT], 30) for _ in range(2))
    assert ids(first) == ids(second)


def ids(seen: list[Seen]) -> list[list[tuple[int, list[float]]]]:
    """Ids and boxes of each frame's people, comparable with ==."""
    return [[(p.track_id, p.xyxy.tolist()) for p in people] for people, _ in seen]
