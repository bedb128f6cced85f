"""One person through several track ids, and never two people in one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from models.boxes import FloatArray
from pipeline.stages.clip_sampling import ClipSpec
from pipeline.stages.clips import cut_clips
from pipeline.stages.groups import GroupSpec, group_people
from pipeline.stages.reattachment import (
    CameraPeople,
    ReattachSpec,
    UnusedIds,
    reattach_tracks,
)
from pipeline.types import Clip, ClippedFrame, StreamEnd, TrackedFrame, TrackedPerson
from tests.conftest import make_frame

SPEC = ReattachSpec(reattach_s=2.0)
OFF = ReattachSpec(reattach_s=0.0)
FPS = 10.0
WIDTH, HEIGHT = 320, 240
FIGURE_WH = (24.0, 60.0)
RED, BLUE = np.array([1, 0, 0], np.float32), np.array([0, 1, 0], np.float32)
IMAGE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


@dataclass(frozen=True)
class Path:
    """One track: a person who walks at constant speed while a tracker gives them one id."""

    track_id: int
    seen: range  # frames
    x: float  # of the centre at frame 0, wherever the track begins
    speed: float = 0.0  # pixels per second; a body has 60
    y: float = 120.0
    feature: FloatArray | None = None
    ended: int | None = None  # frame at which the tracker gives it up

    def person_at(self, n: int, fps: float) -> TrackedPerson:
        x, (width, height) = self.x + self.speed * n / fps, FIGURE_WH
        xyxy = np.array(
            [x - width / 2, self.y - height / 2, x + width / 2, self.y + height / 2], np.float32
        )
        return TrackedPerson(self.track_id, xyxy, 0.9, feature=self.feature)


def frames(
    paths: Sequence[Path],
    count: int,
    *,
    fps: float = FPS,
    camera_id: str = "gate",
    first_s: float = 0,
) -> list[TrackedFrame]:
    made = []
    for n in range(count):
        frame = replace(make_frame(n, first_s + n / fps, camera_id=camera_id), image=IMAGE)
        seen = sorted((path for path in paths if n in path.seen), key=lambda path: path.track_id)
        ended = tuple(path.track_id for path in paths if path.ended == n)
        made.append(TrackedFrame(frame, tuple(p.person_at(n, fps) for p in seen), ended, 0.0, 0.0))
    return made


def reattach(
    items: Sequence[TrackedFrame | StreamEnd], spec: ReattachSpec = SPEC
) -> list[TrackedFrame]:
    return [one for one in reattach_tracks(items, spec) if isinstance(one, TrackedFrame)]


def persons(items: Sequence[TrackedFrame]) -> dict[int, tuple[int, ...]]:
    """The newest ids of every person, by the first."""
    return {one.track_id: one.track_ids or (one.track_id,) for item in items for one in item.people}


def ended(items: Sequence[TrackedFrame]) -> list[tuple[int, int]]:
    return [(item.frame.index, track_id) for item in items for track_id in item.ended]


LOOKS = pytest.mark.parametrize("feature", [RED, None], ids=["appearance", "motion alone"])


@LOOKS
@pytest.mark.parametrize("fps", [5.0, 10.0, 30.0])
@pytest.mark.parametrize("hidden_s", [0.0, 0.4, 1.2])
def test_a_person_behind_a_pillar_is_the_same_person(
    feature: FloatArray | None, fps: float, hidden_s: float
) -> None:
    lost, found = round(2 * fps), round((2 + hidden_s) * fps)
    walk = Path(4, range(lost), 60, 50, feature=feature)
    again = replace(walk, track_id=9, seen=range(found, round(4 * fps)))
    items = reattach(frames([walk, again], round(4 * fps), fps=fps))
    assert persons(items) == {4: (4, 9)}
    assert [one.track_ids for one in items[found].people] == [(4, 9)]
    assert [one.track_ids for one in items[0].people] == [()]


@LOOKS
def test_a_person_who_stands_still_and_is_hidden_is_the_same_person(
    feature: FloatArray | None,
) -> None:
    stand = Path(1, range(20), 100, feature=feature)
    items = reattach(frames([stand, replace(stand, track_id=2, seen=range(30, 40))], 40))
    assert persons(items) == {1: (1, 2)}


def test_people_who_cross_behind_a_pillar_are_not_swapped() -> None:
    right = Path(1, range(20), 60, 50, feature=RED)
    left = Path(2, range(20), 260, -50, feature=BLUE)
    # Both are at 160 after two seconds, and are seen again a second later.
    again = [
        replace(left, track_id=3, seen=range(30, 40)),
        replace(right, track_id=4, seen=range(31, 40)),
    ]
    assert persons(reattach(frames([right, left, *again], 40))) == {1: (1, 4), 2: (2, 3)}


def test_people_who_turn_back_behind_a_pillar_are_not_swapped_by_their_motion() -> None:
    """Where each is expected, the other one appears."""
    right, left = (
        Path(1, range(20), 60, 50, feature=RED),
        Path(2, range(20), 260, -50, feature=BLUE),
    )
    turned = [
        Path(3, range(30, 40), 260, -50, feature=RED),  # at 110, where 2 is expected
        Path(4, range(30, 40), 60, 50, feature=BLUE),
    ]
    found = persons(reattach(frames([right, left, *turned], 40)))
    assert found[1] in ((1,), (1, 3))
    assert found[2] in ((2,), (2, 4))


def test_people_who_look_alike_and_meet_behind_a_pillar_stay_apart_or_unmerged() -> None:
    """Without appearance, who of them comes out first is uncertain."""
    one, other = Path(1, range(20), 140), Path(2, range(20), 150)
    again = Path(3, range(30, 40), 145)
    assert persons(reattach(frames([one, other, again], 40))) == {1: (1,), 2: (2,), 3: (3,)}


@LOOKS
def test_of_two_equally_good_people_none_is_taken(feature: FloatArray | None) -> None:
    lost = [Path(n, range(20), x, feature=feature) for n, x in ((1, 140), (2, 156))]
    new = Path(3, range(25, 40), 148, feature=feature)
    assert persons(reattach(frames([*lost, new], 40)))[3] == (3,)


@LOOKS
def test_of_two_equally_good_new_tracks_none_is_taken(feature: FloatArray | None) -> None:
    lost = Path(1, range(20), 148, feature=feature)
    new = [Path(n, range(25, 40), x, feature=feature) for n, x in ((2, 140), (3, 156))]
    assert persons(reattach(frames([lost, *new], 40))) == {1: (1,), 2: (2,), 3: (3,)}


def test_who_comes_out_second_is_not_taken_for_the_one_who_came_out_first() -> None:
    """Two were hidden; the first one who appears may be either, so the second one may be, too."""
    lost = [Path(n, range(20), x, feature=RED) for n, x in ((1, 140), (2, 156))]
    first = Path(3, range(25, 40), 148, feature=RED)
    second = Path(4, range(30, 40), 140, feature=RED)
    found = persons(reattach(frames([*lost, first, second], 40)))
    assert found == {n: (n,) for n in (1, 2, 3, 4)}


@LOOKS
def test_who_leaves_at_one_side_is_not_who_enters_at_the_other(feature: FloatArray | None) -> None:
    leaves = Path(1, range(20), 90, -40, feature=feature)
    enters = Path(2, range(22, 40), WIDTH - 12, feature=feature)
    assert persons(reattach(frames([leaves, enters], 40))) == {1: (1,), 2: (2,)}


@LOOKS
def test_who_leaves_is_not_who_enters_at_the_same_place(feature: FloatArray | None) -> None:
    leaves = Path(1, range(20), 90, -40, feature=feature)  # at 14 then: cut off by the edge
    enters = Path(2, range(24, 40), 13, feature=feature)
    items = frames([leaves, enters], 40)
    assert persons(reattach(items)) == {1: (1,), 2: (2,)}


def test_another_appearance_is_another_person() -> None:
    gone = Path(1, range(20), 100, feature=RED)
    items = reattach(frames([gone, Path(2, range(22, 40), 100, feature=BLUE)], 40))
    assert persons(items) == {1: (1,), 2: (2,)}


def test_another_size_is_another_person() -> None:
    gone = Path(1, range(20), 100, feature=RED)
    items = frames([gone, Path(2, range(22, 40), 100, feature=RED)], 40)
    far = [
        replace(
            item, people=tuple(replace(p, xyxy=p.xyxy * np.float32(0.4) + 60) for p in item.people)
        )
        if item.frame.index >= 22
        else item
        for item in items
    ]
    assert persons(reattach(far)) == {1: (1,), 2: (2,)}


@pytest.mark.parametrize("fps", [5.0, 25.0])
def test_a_person_is_waited_for_as_long_as_configured_and_ends_then(fps: float) -> None:
    lost = round(2 * fps)
    gone = Path(1, range(lost), 100, feature=RED, ended=lost + 1)
    items = reattach(frames([gone], round(6 * fps), fps=fps))
    [(index, track_id)] = ended(items)
    assert track_id == 1
    waited_s = (index - (lost - 1)) / fps
    assert 2.0 < waited_s <= 2.0 + 1 / fps + 1e-6
    late = replace(gone, track_id=2, seen=range(index, index + 5), ended=None)
    assert persons(reattach(frames([gone, late], round(6 * fps), fps=fps))) == {1: (1,), 2: (2,)}


def test_a_track_that_the_tracker_keeps_ends_when_the_tracker_gives_it_up() -> None:
    gone = Path(1, range(20), 100, feature=RED, ended=50)
    assert ended(reattach(frames([gone], 60))) == [(50, 1)]


def test_the_end_of_a_track_that_was_handed_over_is_not_the_end_of_the_person() -> None:
    gone = Path(1, range(20), 100, feature=RED, ended=30)
    again = Path(2, range(25, 60), 100, feature=RED, ended=62)
    assert ended(reattach(frames([gone, again], 100))) == [(80, 1)]


def test_a_frozen_stream_hands_nothing_over_when_it_runs_again() -> None:
    before = frames([Path(1, range(20), 100, feature=RED)], 20)
    after = frames([Path(2, range(5), 100, feature=RED)], 5, first_s=6.0)
    items = reattach([*before, *after])
    assert persons(items) == {1: (1,), 2: (2,)}


def test_the_end_of_a_camera_ends_the_waiting() -> None:
    before = frames([Path(1, range(20), 100, feature=RED)], 20)
    after = frames([Path(2, range(5), 100, feature=RED)], 5, first_s=2.1)
    assert persons(reattach([*before, StreamEnd("gate"), *after])) == {1: (1,), 2: (2,)}


def test_cameras_do_not_share_people() -> None:
    gate = frames([Path(1, range(20), 100, feature=RED)], 20)
    yard = frames([Path(2, range(5), 100, feature=RED)], 5, first_s=2.1, camera_id="yard")
    assert persons(reattach([*gate, *yard])) == {1: (1,), 2: (2,)}


def test_a_track_that_the_tracker_finds_again_is_the_same_person_without_a_new_id() -> None:
    hidden = [Path(1, range(20), 100, feature=RED), Path(1, range(30, 40), 100, feature=RED)]
    assert persons(reattach(frames(hidden, 40))) == {1: (1,)}


def test_a_track_that_is_found_again_after_it_was_handed_over_is_another_person() -> None:
    first = Path(1, range(20), 100, feature=RED)
    second = Path(2, range(25, 60), 100, feature=RED)
    again = Path(1, range(40, 60), 180, feature=BLUE)
    later = Path(3, range(50, 60), 280, feature=BLUE)
    items = reattach(frames([first, second, again, later], 60))
    assert persons(items) == {1: (1, 2), 3: (3,), 4: (4,)}


@pytest.mark.parametrize("seed", range(6))
def test_no_id_is_ever_of_two_people(seed: int) -> None:
    """Whatever a tracker does: ids late, out of order, found again after they were handed over."""
    draw = random.Random(seed)
    paths = []
    for track_id in range(1, 40):
        begin, x = draw.randrange(300), draw.uniform(20, 300)
        length = draw.randrange(1, 40)
        look = draw.choice([RED, BLUE, None])
        paths.append(Path(track_id, range(begin, begin + length), x, feature=look))
        if draw.random() < 0.5:  # found again, perhaps elsewhere
            again = begin + length + draw.randrange(1, 50)
            paths.append(replace(paths[-1], seen=range(again, again + 9), x=draw.uniform(20, 300)))
    taken = frames(paths, 420)
    known: dict[int, tuple[int, ...]] = {}
    over: set[int] = set()
    for item, raw in zip(reattach(taken), taken, strict=True):
        assert len(item.people) == len(raw.people)
        stable = [one.track_id for one in item.people]
        assert stable == sorted(set(stable))
        for one in item.people:
            ids = one.track_ids or (one.track_id,)
            assert ids[0] == one.track_id
            before = known.get(one.track_id, ids)
            assert ids[: len(before)] == before, "ids are only added"
            known[one.track_id] = ids
        assert over.isdisjoint(stable), "an ended person never returns"
        over.update(item.ended)
    every = [track_id for ids in known.values() for track_id in ids]
    assert len(every) == len(set(every))


def test_ids_are_unique_also_where_they_come_late_and_far_apart() -> None:
    ids, draw = UnusedIds(), random.Random(0)
    wanted = [max(1, n - draw.randrange(3) * draw.randrange(1200)) for n in range(1, 6000)]
    taken = [ids.take(one) for one in wanted]
    assert len(taken) == len(set(taken))
    assert UnusedIds().take(7) == 7


def test_an_unused_id_that_comes_a_little_late_is_taken_as_it_is() -> None:
    ids = UnusedIds()
    assert [ids.take(one) for one in (3, 2, 9, 3, 10, 4)] == [3, 2, 9, 10, 11, 4]


@pytest.mark.parametrize("spec", [SPEC, OFF])
def test_features_go_no_further(spec: ReattachSpec) -> None:
    items = reattach(frames([Path(1, range(5), 100, feature=RED)], 5), spec)
    assert all(one.feature is None for item in items for one in item.people)


def test_without_waiting_tracks_are_people() -> None:
    gone = Path(1, range(20), 100, feature=RED, ended=22)
    made = frames([gone, replace(gone, track_id=2, seen=range(24, 40), ended=None)], 40)
    items = reattach(made, OFF)
    assert persons(items) == {1: (1,), 2: (2,)}
    assert ended(items) == [(22, 1)]


def test_the_same_frames_give_the_same_people() -> None:
    draw = random.Random(3)
    paths = [
        Path(n, range(s, s + 20), draw.uniform(50, 250), feature=draw.choice([RED, BLUE]))
        for n in range(1, 20)
        for s in [draw.randrange(150)]
    ]
    first, second = (
        [[(p.track_id, p.track_ids) for p in item.people] for item in reattach(frames(paths, 180))]
        for _ in range(2)
    )
    assert first == second


def test_what_is_kept_of_a_camera_is_bounded() -> None:
    """Everyone who ended is forgotten, however many come after them."""
    paths = [
        Path(n, range(9 * n, 9 * n + 9), 30 + n % 7 * 40, ended=9 * n + 12) for n in range(1, 30)
    ]
    camera = CameraPeople(SPEC)
    kept = []
    for item in frames(paths, 300):
        camera.update(item)
        kept.append(len(camera))
    assert max(kept) <= 5
    assert kept[-1] <= 3


CLIP = ClipSpec(clip_len=8, interval_s=0.2, crop_size=16, crop_margin=0.25, max_gap_s=0.5)


def test_clips_over_a_switch_are_byte_for_byte_those_without_it() -> None:
    rng = np.random.default_rng(0)
    walk = Path(1, range(60), 60, 30, feature=RED)
    whole = [
        replace(item, frame=replace(item.frame, image=rng.integers(0, 255, IMAGE.shape, np.uint8)))
        for item in frames([walk], 60)
    ]
    switched = [
        replace(
            item, people=tuple(replace(p, track_id=2) for p in item.people), ended=(1,) * (n == 33)
        )
        if (n := item.frame.index) >= 33
        else item
        for item in whole
    ]

    def clips(items: Sequence[TrackedFrame]) -> list[Clip]:
        cut = cut_clips(reattach_tracks(items, SPEC), CLIP, lambda: 0.0, stride_s=0.5)
        every = [clip for item in cut if isinstance(item, ClippedFrame) for clip in item.clips]
        return [clip for clip in every if isinstance(clip, Clip)]

    one, other = clips(whole), clips(switched)
    assert len(one) == len(other) > 6
    for a, b in zip(one, other, strict=True):
        assert (a.subject, a.end_pts_s) == (b.subject, b.end_pts_s)
        assert a.crops.tobytes() == b.crops.tobytes()


def test_a_group_stays_one_group_through_a_switch_of_a_member() -> None:
    stay, lost = Path(1, range(60), 100, feature=RED), Path(2, range(30), 130, feature=BLUE)
    again = replace(lost, track_id=5, seen=range(34, 60))
    grouped = group_people(reattach_tracks(frames([stay, lost, again], 60), SPEC), GroupSpec())
    groups: dict[int, set[tuple[int, ...]]] = {}
    for item in grouped:
        assert isinstance(item, TrackedFrame)
        for group in item.groups:
            groups.setdefault(group.group_id, set()).add(group.members)
    assert groups == {1: {(1, 2)}}


def test_the_ids_of_a_person_whose_track_flickers_for_days_stay_few() -> None:
    paths = [Path(n, range(7 * n, 7 * n + 7), 100, feature=RED) for n in range(1, 101)]
    items = reattach(frames(paths, 707))
    [ids] = persons(items).values()
    assert (ids[0], ids[-1], len(ids)) == (1, 100, 64)
    assert list(ids[1:]) == list(range(38, 101))
