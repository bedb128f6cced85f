"""Key point clips: the time grid, and what no clip spans; then a fall from frames to its event."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.pose.key_points import not_found
from models.skeleton.posture import PostureRecognizer
from pipeline.stages.clip_sampling import ClipSpec
from pipeline.stages.decisions import EventStamp, decide_actions
from pipeline.stages.key_point_clips import cut_key_points
from pipeline.stages.pose import NoPose, estimate_poses
from pipeline.stages.recognition import NumberedScorer, recognize_with_several
from pipeline.stages.several_cuts import cut_for_several
from pipeline.stages.subject_decider import ActionRule, DecisionPolicy
from pipeline.types import ClippedFrame, KeyPointClip, StreamEnd, TrackedFrame
from tests.conftest import make_frame, make_tracked
from tests.models.skeleton.people import between, figure

SPEC = ClipSpec(4, 0.1, crop_size=0, crop_margin=0.0, max_gap_s=0.5)


def person_frames(count: int, *, skip: range = range(0)) -> list[TrackedFrame]:
    """One person whose points and box carry the number of the frame, 10 per second."""
    made = []
    for n in range(count):
        tracked = make_tracked(make_frame(n), [] if n in skip else [1])
        points = not_found(1)[0] + np.float32(n)
        people = tuple(replace(one, key_points=points) for one in tracked.people)
        made.append(replace(tracked, people=people))
    return made


def clips_of(items: list[TrackedFrame | StreamEnd], stride_s: float = 0.1) -> list[KeyPointClip]:
    cut = cut_key_points(items, SPEC, lambda: 0.0, stride_s=stride_s)
    frames = [item for item in cut if isinstance(item, ClippedFrame)]
    return [clip for frame in frames for clip in frame.clips if isinstance(clip, KeyPointClip)]


def test_a_clip_has_the_points_of_its_grid_and_ends_at_the_newest_frame() -> None:
    first, *_ = clips = clips_of([*person_frames(6)])
    assert len(clips) == 3
    assert first.skeleton.key_points.shape == (1, 4, 17, 3)
    assert first.skeleton.key_points[0, :, 0, 0].tolist() == [0, 1, 2, 3]
    assert (first.subject.kind, first.subject.id) == ("person", 1)
    assert first.end_pts_s == 0.3


def test_the_stride_is_the_time_between_two_clips() -> None:
    assert len(clips_of([*person_frames(9)], stride_s=0.3)) == 2


def test_no_clip_spans_a_gap_or_the_end_of_a_camera() -> None:
    assert clips_of(person_frames(9, skip=range(2, 8))) == []
    frames = person_frames(4)
    assert clips_of([*frames[:2], StreamEnd("gate"), *frames[2:]]) == []


def test_frames_whose_points_were_not_estimated_are_skipped() -> None:
    frames = person_frames(7)
    for n in (1, 3, 5):
        people = tuple(replace(one, key_points=None) for one in frames[n].people)
        frames[n] = replace(frames[n], people=people)
    points = [clip.skeleton.key_points[0, :, 0, 0].tolist() for clip in clips_of([*frames])]
    assert all(set(row) <= {0, 2, 4, 6} for row in points)
    assert points


def test_a_track_that_takes_the_place_of_a_lost_one_continues_its_clips() -> None:
    frames = person_frames(6, skip=range(2, 3))
    moved = np.array([500, 500, 520, 560], np.float32)
    for change, clips in (({}, 1), ({"xyxy": moved}, 0)):
        items: list[TrackedFrame | StreamEnd] = []
        for n, frame in enumerate(frames[:5]):
            people = frame.people
            if n > 2:
                people = tuple(replace(one, track_id=2, **change) for one in people)
            items.append(replace(frame, people=people))
        assert len([one for one in clips_of(items) if one.subject.id == 2]) >= clips
        if not clips:
            assert not clips_of(items)


def test_a_person_who_falls_is_one_event_of_both_ways_to_see_it() -> None:
    recognizer = PostureRecognizer()
    spec = replace(SPEC, clip_len=25)
    items: list[TrackedFrame | StreamEnd] = []
    for n in range(50):
        _, box = figure(90 * between(n / 10, 2.0, 2.7))
        tracked = make_tracked(make_frame(n), [1])
        items.append(replace(tracked, people=(replace(tracked.people[0], xyxy=box),)))
    items.append(StreamEnd("gate"))
    posed = estimate_poses(items, NoPose(), 10.0)
    # Twice the same recognizer, at two strides: their scores are averaged, the event is one.
    cuts = [
        lambda tracked, stride_s=stride_s: cut_key_points(
            tracked, spec, lambda: 0.0, stride_s=stride_s
        )
        for stride_s in (0.1, 0.2)
    ]
    scorers = [NumberedScorer(recognizer, recognizer.spec.labels)] * 2
    clipped = cut_for_several(posed, cuts)
    recognized = recognize_with_several(([item] for item in clipped), scorers, lambda: 0.0)
    rules = {"fall": ActionRule(0.6, 0.3, 0.0, 1.0)}
    policy = DecisionPolicy(rules, smoothing_s=0.0, update_interval_s=99.0, fresh_s=0.4)
    stamp = EventStamp("run", "posture_rules", wall_clock=False)
    decided = decide_actions(recognized, ("fall",), lambda camera_id: policy, stamp, lambda: 0.0)
    events = [event for item in decided for event in item.events if event.kind in ("start", "end")]
    assert [event.kind for event in events] == ["start", "end"]
    assert 2.4 < events[0].start_pts_s < 3.2
