from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.events import ActionEvent, CameraEvent
from pipeline.stages.decisions import EventStamp, decide_actions
from pipeline.stages.numbering import number_events
from pipeline.stages.subject_decider import ActionRule, DecisionPolicy
from pipeline.types import DecidedEnd, DecidedFrame, Prediction, RecognizedFrame, StreamEnd, Subject
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
        Prediction(Subject.person(track_id), BOX, np.array(pair, np.float32))
        for track_id, pair in scores.items()
    )
    at = tracked.tracked_at
    return RecognizedFrame(tracked, predictions, clipped_at=at + 0.1, recognized_at=at + 0.3)


def decide(
    *items: RecognizedFrame | StreamEnd, stamp: EventStamp = STAMP
) -> list[DecidedFrame | DecidedEnd]:
    return list(
        number_events(
            decide_actions(items, LABELS, lambda camera_id: POLICY, stamp, now=lambda: 1001.0)
        )
    )


def events_of(items: list[DecidedFrame | DecidedEnd]) -> list[ActionEvent]:
    """Without those of cameras."""
    every = [event for item in items for event in item.events]
    return [event for event in every if isinstance(event, ActionEvent)]


def test_a_camera_comes_up_with_its_first_frame_and_goes_down_at_its_end() -> None:
    first, second, end = decide(
        recognized(0, {7: (0.9, 0.1)}), recognized(1, {7: (0.9, 0.1)}), StreamEnd("gate")
    )
    up, start = first.events
    assert isinstance(up, CameraEvent)
    assert (up.kind, up.seq, up.pts_s, up.reason) == ("camera_up", 1, 0.0, None)
    assert (start.kind, start.seq) == ("start", 2)
    assert second.events == ()
    ended, down = end.events
    assert isinstance(down, CameraEvent)
    assert (ended.kind, down.kind, down.seq) == ("end", "camera_down", 4)
    assert (down.pts_s, down.reason) == (0.1, "stream_ended")


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (StreamEnd("gate", "failed", "the file is damaged"), "failed"),
        (StreamEnd("gate", "stopped"), "stopped"),
    ],
)
def test_a_camera_that_did_not_end_by_itself_reports_it(end: StreamEnd, reason: str) -> None:
    *_, down = decide(recognized(0, {}), end)[-1].events
    assert isinstance(down, CameraEvent)
    assert down.reason == reason


def test_every_item_comes_out_in_order() -> None:
    items = decide(recognized(0, {}), recognized(1, {}), StreamEnd("gate"))
    assert [type(item) for item in items] == [DecidedFrame, DecidedFrame, DecidedEnd]


def test_an_event_reports_who_what_when_and_where() -> None:
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


def test_an_action_goes_on_under_a_new_track_id_and_its_events_say_so() -> None:
    def named(item: RecognizedFrame, track_ids: tuple[int, ...]) -> RecognizedFrame:
        people = tuple(replace(one, track_ids=track_ids) for one in item.tracked.people)
        return replace(item, tracked=replace(item.tracked, people=people))

    items = [
        recognized(0, {3: (0.9, 0.1)}),
        named(recognized(1, {3: (0.9, 0.9)}), (3, 7)),
        recognized(2, {3: (0.9, 0.9)}, camera="yard"),
        named(recognized(3, {3: (0.9, 0.1)}), (3, 7, 8)),
        recognized(4, {}, ended=(3,)),
    ]
    events = [event for event in events_of(decide(*items)) if event.camera_id == "gate"]
    found = [(e.kind, e.action, e.track_id, e.track_ids, e.instance_id) for e in events]
    assert found == [
        ("start", "walk", 3, (3,), "run/gate/3/walk/1"),
        ("start", "wave", 7, (3, 7), "run/gate/3/wave/1"),
        ("end", "wave", 8, (3, 7, 8), "run/gate/3/wave/1"),
        ("end", "walk", 8, (3, 7, 8), "run/gate/3/walk/1"),
    ]


def test_the_members_of_a_group_have_their_current_ids() -> None:
    item = recognized(0, {3: (0.1, 0.1), 5: (0.1, 0.1)})
    first, second = item.tracked.people
    people = (replace(first, track_ids=(3, 9)), second)
    hug = Prediction(Subject("group", 1, (3, 5)), BOX, np.array((0.9, 0.1), np.float32))
    policy = replace(POLICY, group_actions=frozenset({"walk"}))
    [decided] = decide_actions(
        [replace(item, tracked=replace(item.tracked, people=people), predictions=(hug,))],
        LABELS,
        lambda camera_id: policy,
        STAMP,
        now=lambda: 1001.0,
    )
    [event] = events_of([decided])
    assert (event.members, event.track_ids, event.track_id) == ((5, 9), (), None)


def test_an_event_reports_how_long_each_stage_took() -> None:
    [event] = events_of(decide(recognized(0, {7: (0.9, 0.1)})))
    assert event.latency_ms == {
        "decode": 0.0,
        "detect": 100.0,
        "track": 100.0,
        "clip": 100.0,
        "recognize": 200.0,
        "decide": 500.0,
        "total": 1000.0,
    }


def test_a_recordings_events_carry_its_time_and_their_latency_is_that_of_the_run() -> None:
    item = recognized(3, {7: (0.9, 0.1)})
    frame = replace(item.tracked.frame, recorded_at=60.5)
    recorded = replace(item, tracked=replace(item.tracked, frame=frame))
    *_, down = decide(recorded, StreamEnd("gate"))[-1].events
    [event, _] = events_of(decide(recorded, StreamEnd("gate")))
    assert (event.start_time, event.end_time) == ("1970-01-01T00:01:00.500Z",) * 2
    assert isinstance(down, CameraEvent)
    assert down.time == "1970-01-01T00:01:00.500Z"
    [live] = events_of(decide(item))
    assert event.latency_ms == live.latency_ms


def test_the_highest_score_of_an_action_that_may_start_is_kept() -> None:
    frame, _ = decide(recognized(3, {7: (0.5, 0.2), 8: (0.1, 0.55)}), recognized(4, {}))
    assert isinstance(frame, DecidedFrame)
    assert frame.clips == 2
    assert frame.best is not None
    assert (frame.best.action, round(frame.best.score, 2)) == ("wave", 0.55)
    assert frame.best.start_threshold == 0.6


def test_without_a_wall_clock_nothing_depends_on_when_it_ran() -> None:
    stamp = EventStamp("replay", "net", wall_clock=False)
    [event] = events_of(decide(recognized(0, {7: (0.9, 0.1)}), stamp=stamp))
    assert (event.start_time, event.end_time, event.latency_ms) == (None, None, {})


def test_sequence_numbers_have_no_gap_and_each_camera_has_its_own() -> None:
    items = []
    for n in range(6):
        score = 0.9 if n % 2 == 0 else 0.1  # starts and ends all the time
        items += [recognized(n, {1: (score, 0), 2: (0, score)}, camera=c) for c in ("a", "b")]
    events = [event for item in decide(*items) for event in item.events]
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
    assert events[-1].end_pts_s == 0.0  # the last timestamp at which it was confirmed
    assert events[-1].frame_index == 5


def test_a_camera_that_ends_closes_its_actions_and_no_others() -> None:
    items = decide(
        recognized(0, {1: (0.9, 0)}, camera="a"),
        recognized(0, {1: (0.9, 0)}, camera="b"),
        StreamEnd("a"),
    )
    assert isinstance(items[-1], DecidedEnd)
    [end] = events_of(items[-1:])
    assert (end.camera_id, end.end_reason) == ("a", "stream_ended")


def test_a_camera_that_never_gave_a_frame_ends_in_peace() -> None:
    [item] = decide(StreamEnd("a", "failed", "no such file"))
    assert isinstance(item, DecidedEnd)
    assert item.events == ()


OUTAGE = StreamEnd("gate", "stalled", "no frame for 5 s", at=2000.0)


def test_the_actions_of_a_camera_that_became_unavailable_end_with_that_reason() -> None:
    items = decide(recognized(0, {1: (0.9, 0)}), OUTAGE)
    end, down = items[-1].events
    assert isinstance(end, ActionEvent)
    assert end.end_reason == "camera_down"
    assert isinstance(down, CameraEvent)
    assert (down.reason, down.time) == ("stalled", "1970-01-01T00:16:40.000Z")


def test_a_camera_that_comes_back_continues_its_numbers() -> None:
    items = decide(recognized(0, {1: (0.9, 0)}), OUTAGE, OUTAGE, recognized(9, {2: (0.9, 0)}))
    events = [event for item in items for event in item.events]
    kinds = [event.kind for event in events]
    assert kinds == ["camera_up", "start", "end", "camera_down", "camera_up", "start"]
    assert [event.seq for event in events] == [1, 2, 3, 4, 5, 6]


def test_a_live_camera_that_never_connected_is_reported_down_once() -> None:
    first, second, stopped = decide(OUTAGE, OUTAGE, StreamEnd("gate", "stopped"))
    [down] = first.events
    assert isinstance(down, CameraEvent)
    assert (down.kind, down.reason, down.pts_s) == ("camera_down", "stalled", 0.0)
    assert down.time == "1970-01-01T00:33:20.000Z"
    assert second.events == stopped.events == ()


GROUP_POLICY = replace(POLICY, group_actions=frozenset({"wave"}))


def with_group(
    index: int, members: tuple[int, ...], pair: tuple[float, float], ended: tuple[int, ...] = ()
) -> RecognizedFrame:
    """A frame in which person 7 and group 7 have the same scores."""
    item = recognized(index, {7: pair})
    scores = np.array(pair, np.float32)
    of_group = Prediction(Subject("group", 7, members), BOX, scores)
    predictions = (*item.predictions, of_group) if members else item.predictions
    tracked = replace(item.tracked, ended_groups=ended)
    return replace(item, tracked=tracked, predictions=predictions)


def decide_groups(*items: RecognizedFrame | StreamEnd) -> list[DecidedFrame | DecidedEnd]:
    return list(
        number_events(
            decide_actions(items, LABELS, lambda camera_id: GROUP_POLICY, STAMP, now=lambda: 1001.0)
        )
    )


def test_a_person_does_a_persons_actions_and_a_group_a_groups() -> None:
    [frame, _] = decide_groups(with_group(0, (7, 9), (0.9, 0.8)), StreamEnd("gate"))
    walk, wave = events_of([frame])
    assert (walk.action, walk.track_id, walk.group_id, walk.members) == ("walk", 7, None, ())
    assert (wave.action, wave.track_id, wave.group_id, wave.members) == ("wave", None, 7, (7, 9))
    assert (walk.instance_id, wave.instance_id) == ("run/gate/7/walk/1", "run/gate/group-7/wave/1")
    assert (walk.people, wave.people) == ((7,), (7, 9))
    assert isinstance(frame, DecidedFrame)
    assert frame.best is not None
    assert (frame.best.action, frame.clips) == ("walk", 2)


def test_the_action_of_a_group_goes_on_while_its_members_change() -> None:
    items = [
        with_group(0, (7, 9), (0.1, 0.9)),
        with_group(1, (7, 9, 12), (0.1, 0.9)),
        with_group(2, (9, 12), (0.1, 0.9)),
        with_group(3, (), (0.1, 0.9), ended=(7,)),
    ]
    start, end = events_of(decide_groups(*items))
    assert (start.kind, start.members) == ("start", (7, 9))
    assert (end.kind, end.members, end.end_reason) == ("end", (9, 12), "group_ended")
    assert (start.instance_id, end.end_pts_s) == (end.instance_id, 0.2)


def test_the_end_of_a_camera_ends_the_actions_of_its_groups() -> None:
    items = decide_groups(with_group(0, (7, 9), (0.1, 0.9)), StreamEnd("gate"))
    [_, end] = events_of(items)
    assert (end.kind, end.group_id, end.end_reason) == ("end", 7, "stream_ended")


def test_a_track_that_ends_leaves_a_group_of_the_same_number_alone() -> None:
    first = with_group(0, (7, 9), (0.9, 0.9))
    second = replace(first, tracked=replace(first.tracked, ended=(7,)), predictions=())
    *_, end = events_of(decide_groups(first, second))
    assert (end.kind, end.track_id, end.end_reason) == ("end", 7, "track_ended")


def from_two(index: int, first: float | None, second: float | None) -> RecognizedFrame:
    """Scores of "wave" by two recognizers, one of which has "walk" too."""
    item = recognized(index, {7: (0.0, 0.0)})
    predictions = []
    if first is not None:
        scores = np.array([0.0, first], np.float32)
        predictions.append(Prediction(Subject.person(7), BOX, scores, ("walk", "wave"), 0))
    if second is not None:
        scores = np.array([second], np.float32)
        predictions.append(Prediction(Subject.person(7), BOX, scores, ("wave",), 1))
    return replace(item, predictions=tuple(predictions))


def test_two_recognizers_of_one_label_decide_together_and_once() -> None:
    policy = replace(POLICY, fresh_s=0.25)
    items = [
        from_two(0, 0.9, 0.1),  # 0.5: not enough
        from_two(1, None, 0.6),  # 0.75 with the other's newest
        from_two(2, 0.9, 0.9),
    ]
    decided = list(
        number_events(
            decide_actions(items, LABELS, lambda camera_id: policy, STAMP, now=lambda: 1001.0)
        )
    )
    [start] = events_of(decided)
    assert (start.kind, start.action, start.frame_index) == ("start", "wave", 1)
    assert start.score == pytest.approx(0.75)


def test_a_recognizer_that_gives_nothing_any_more_does_not_hold_a_score() -> None:
    policy = replace(POLICY, fresh_s=0.25)
    items = [from_two(0, 0.9, 0.9), *(from_two(n, None, 0.1) for n in range(1, 6))]
    decided = list(
        number_events(
            decide_actions(items, LABELS, lambda camera_id: policy, STAMP, now=lambda: 1001.0)
        )
    )
    assert [event.kind for event in events_of(decided)] == ["start", "end"]


def test_other_thresholds_end_what_they_do_not_have_and_no_number_is_repeated() -> None:
    only_wave = replace(POLICY, rules={"wave": POLICY.rules["wave"]})
    policies = [POLICY, only_wave, only_wave, POLICY]
    now = iter(policies)
    items = [recognized(index, {7: (0.9, 0.9)}) for index in range(4)]
    decided = decide_actions(items, LABELS, lambda camera_id: next(now), STAMP, now=lambda: 1001.0)
    found = [
        (event.frame_index, event.kind, event.action, event.instance_id[-1], event.end_reason)
        for event in events_of(list(decided))
    ]
    assert found == [
        (0, "start", "walk", "1", None),
        (0, "start", "wave", "1", None),
        (1, "end", "walk", "1", "rule_removed"),
        (3, "start", "walk", "2", None),
    ]
