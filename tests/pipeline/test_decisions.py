from __future__ import annotations

import numpy as np

from pipeline.decisions import EventStamp, decide_actions
from pipeline.events import ActionEvent
from pipeline.track_decider import ActionRule, DecisionPolicy
from pipeline.types import DecidedEnd, DecidedFrame, Prediction, RecognizedFrame, StreamEnd
from tests.conftest import make_frame, make_tracked

LABELS = ("walk", "wave")
POLICY = DecisionPolicy(
    {label: ActionRule(0.6, 0.4, 0.0, 0.0) for label in LABELS}, smoothing_s=0, update_interval_s=99
)
STAMP = EventStamp(run_id="run", model="net", wall_clock=True)
BOX = np.array([1.25, 2.5, 30, 40], np.float32)


def recognized(
    index: int, scores: dict[int, tuple[float, float]], *, camera: str = "gate", ended: tuple = ()
) -> RecognizedFrame:
    tracked = make_tracked(make_frame(index, camera_id=camera), list(scores), ended)
    predictions = tuple(
        Prediction(track_id, BOX, np.array(pair, np.float32)) for track_id, pair in scores.items()
    )
    return RecognizedFrame(tracked, predictions, recognized_at=tracked.tracked_at + 0.3)


def decide(
    *items: RecognizedFrame | StreamEnd, stamp: EventStamp = STAMP
) -> list[DecidedFrame | DecidedEnd]:
    return list(decide_actions(items, LABELS, POLICY, stamp, now=lambda: 1001.0))


def events_of(items: list[DecidedFrame | DecidedEnd]) -> list[ActionEvent]:
    return [event for item in items for event in item.events]


def test_every_item_comes_out_in_order() -> None:
    items = decide(recognized(0, {}), recognized(1, {}), StreamEnd("gate"))
    assert [type(item) for item in items] == [DecidedFrame, DecidedFrame, DecidedEnd]


def test_an_event_says_who_what_when_and_where() -> None:
    [event] = events_of(decide(recognized(3, {7: (0.9, 0.1)})))
    assert (event.kind, event.camera_id, event.track_id, event.action) == (
        "start",
        "gate",
        7,
        "walk",
    )
    assert (event.score, event.peak_score) == (0.9, 0.9)
    assert (event.start_pts_s, event.end_pts_s, event.frame_index) == (0.3, 0.3, 3)
    assert (event.xyxy, event.frame_wh) == ((1.2, 2.5, 30.0, 40.0), (64, 48))
    assert (event.start_time, event.model) == ("1970-01-01T00:16:43.000Z", "net")
    assert event.end_reason is None


def test_an_event_says_how_long_each_stage_took() -> None:
    [event] = events_of(decide(recognized(0, {7: (0.9, 0.1)})))
    assert event.latency_ms == {
        "detect": 100.0,
        "track": 100.0,
        "recognize": 300.0,
        "decide": 500.0,
        "total": 1000.0,
    }


def test_without_a_wall_clock_nothing_depends_on_when_it_ran() -> None:
    stamp = EventStamp("replay", "net", wall_clock=False)
    [event] = events_of(decide(recognized(0, {7: (0.9, 0.1)}), stamp=stamp))
    assert (event.start_time, event.end_time, event.latency_ms) == (None, None, {})


def test_sequence_numbers_have_no_hole_and_each_camera_its_own() -> None:
    items = []
    for n in range(6):
        score = 0.9 if n % 2 == 0 else 0.1  # starts and ends all the time
        items += [recognized(n, {1: (score, 0), 2: (0, score)}, camera=c) for c in ("a", "b")]
    events = events_of(decide(*items))
    for camera in ("a", "b"):
        seqs = [event.seq for event in events if event.camera_id == camera]
        assert seqs == list(range(1, len(seqs) + 1))
        assert len(seqs) > 6
    assert len({event.event_id for event in events}) == len(events)


def test_start_and_end_share_their_instance() -> None:
    start, end = events_of(decide(recognized(0, {1: (0.9, 0)}), recognized(1, {1: (0.1, 0)})))
    assert (start.kind, end.kind) == ("start", "end")
    assert start.instance_id == end.instance_id
    assert start.event_id != end.event_id


def test_two_people_doing_the_same_are_two_instances() -> None:
    one, two = events_of(decide(recognized(0, {1: (0.9, 0), 2: (0.9, 0)})))
    assert one.instance_id != two.instance_id


def test_a_track_that_ends_closes_its_actions() -> None:
    events = events_of(decide(recognized(0, {1: (0.9, 0)}), recognized(5, {}, ended=(1,))))
    assert (events[-1].kind, events[-1].end_reason) == ("end", "track_ended")
    assert events[-1].end_pts_s == 0.0  # the last moment it was known to go on
    assert events[-1].frame_index == 5


def test_a_camera_that_ends_closes_its_actions_and_no_others() -> None:
    items = decide(
        recognized(0, {1: (0.9, 0)}, camera="a"),
        recognized(0, {1: (0.9, 0)}, camera="b"),
        StreamEnd("a"),
    )
    assert isinstance(items[-1], DecidedEnd)
    assert [(e.camera_id, e.end_reason) for e in items[-1].events] == [("a", "stream_ended")]


def test_a_camera_that_never_gave_a_frame_ends_in_peace() -> None:
    [item] = decide(StreamEnd("a", "no such file"))
    assert isinstance(item, DecidedEnd)
    assert item.events == ()
