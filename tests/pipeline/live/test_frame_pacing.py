from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.live.frame_pacing import FramePacer, PlaybackPacer
from testbed.clock import Clock


def times(fps: float, seconds: float, *, start_s: float = 0.0, jitter: float = 0.0) -> list[float]:
    """When frames were captured; the jitter is a fraction of an interval, to either side."""
    chance = random.Random(1)
    shifts = (chance.uniform(-jitter, jitter) for _ in iter(int, 1))
    return [
        start_s + (number + shift) / fps
        for number, shift in zip(range(round(fps * seconds)), shifts, strict=False)
    ]


def taken(pacer: FramePacer, pts_s: Iterable[float]) -> list[float]:
    return [at_s for at_s in pts_s if pacer.is_due(at_s)]


@pytest.mark.parametrize("start_s", [0.0, -3.0, 95_443.7])
@pytest.mark.parametrize(
    ("source_fps", "fps", "jitter"),
    [
        (25.0, 10.0, 0.0),
        (25.0, 10.0, 0.2),
        (30.0, 7.5, 0.0),
        (30.0, 7.5, 0.3),
        (30_000 / 1001, 10.0, 0.1),
        (30.0, 25.0, 0.1),
        (10.0, 10.0, 0.0),
        (10.0, 10.0, 0.1),
        (15.0, 1.0, 0.2),
        (5.0, 0.2, 0.0),
    ],
)
def test_the_rate_is_right_on_average(
    source_fps: float, fps: float, jitter: float, start_s: float
) -> None:
    pts_s = times(source_fps, 600.0, start_s=start_s, jitter=jitter)
    assert len(taken(FramePacer(fps), pts_s)) / 600.0 == pytest.approx(fps, rel=0.01)


def test_the_frames_are_spread_evenly() -> None:
    picked = taken(FramePacer(10.0), times(25.0, 60.0, jitter=0.1))
    gaps = [after - before for before, after in pairwise(picked)]
    assert min(gaps) > 0.06
    assert max(gaps) < 0.14


def test_a_camera_slower_than_requested_is_processed_whole() -> None:
    pts_s = times(12.5, 60.0, jitter=0.2)
    assert taken(FramePacer(25.0), pts_s) == pts_s


def test_without_a_rate_every_frame_is_taken() -> None:
    pts_s = [0.0, 0.001, 0.002, 50.0, 1.0, 1.0]
    assert taken(FramePacer(None), pts_s) == pts_s


@pytest.mark.parametrize("jump_s", [-47_721.9, -60.0, -1.0, 1.0, 60.0, 47_721.9])
def test_a_jump_of_the_streams_clock_restarts_the_pacing(jump_s: float) -> None:
    pacer = FramePacer(10.0)
    taken(pacer, times(25.0, 10.0, start_s=100.0))
    after = times(25.0, 10.0, start_s=110.0 + jump_s)
    picked = taken(pacer, after)
    assert picked[0] == after[0]
    assert len(picked) == 100


def test_a_gap_is_not_made_up_for() -> None:
    pacer = FramePacer(10.0)
    taken(pacer, times(25.0, 10.0))
    assert len(taken(pacer, times(25.0, 1.0, start_s=30.0))) == 10


@given(
    gaps_s=st.lists(st.floats(0.001, 3.0), min_size=1, max_size=300),
    fps=st.floats(0.5, 30.0),
)
def test_never_more_frames_than_the_rate_allows(gaps_s: Sequence[float], fps: float) -> None:
    at_s, pts_s = 0.0, [0.0]
    for gap_s in gaps_s:
        at_s += gap_s
        pts_s.append(at_s)
    picked = taken(FramePacer(fps), pts_s)
    assert picked[0] == 0.0
    assert len(picked) - 1 <= picked[-1] * fps + 0.26


@pytest.fixture
def clock() -> Clock:
    return Clock()


def playback_pacer(clock: Clock, speed: float = 1.0) -> PlaybackPacer:
    return PlaybackPacer(speed, clock, clock.sleep)


def play(pace: PlaybackPacer, clock: Clock, pts_s: Iterable[float]) -> list[float]:
    """When each frame was due, seconds since the clock began."""
    shown = []
    for at_s in pts_s:
        pace.wait(at_s)
        shown.append(clock.now - 1000.0)
    return shown


def rounds(pace: PlaybackPacer, clock: Clock, pts_s: Sequence[float], count: int) -> list[float]:
    """Media times of a file that is played so many times."""
    placed = []
    for number in range(count):
        if number:
            pace.again()
        for at_s in pts_s:
            pace.wait(at_s)
            placed.append(pace.continued(at_s))
    return placed


def test_a_recording_is_played_at_its_own_pace(clock: Clock) -> None:
    pts_s = times(25.0, 4.0)
    assert play(playback_pacer(clock), clock, pts_s) == pytest.approx(pts_s)


def test_the_first_frame_is_not_waited_for(clock: Clock) -> None:
    assert play(playback_pacer(clock), clock, [1.4, 1.5]) == pytest.approx([0.0, 0.1])


@pytest.mark.parametrize("speed", [0.5, 4.0])
def test_a_speed_changes_the_pace_and_not_the_media_time(clock: Clock, speed: float) -> None:
    pace, pts_s = playback_pacer(clock, speed), times(25.0, 4.0)
    assert play(pace, clock, pts_s) == pytest.approx([at_s / speed for at_s in pts_s])
    assert pace.continued(2.0) == 2.0


def test_work_between_two_frames_is_part_of_the_pace(clock: Clock) -> None:
    pace = playback_pacer(clock)
    pace.wait(0.0)
    clock.now += 0.03
    pace.wait(0.04)
    assert clock.slept_s == pytest.approx([0.01])


def test_a_short_delay_is_made_up_for(clock: Clock) -> None:
    pace = playback_pacer(clock)
    pace.wait(0.0)
    clock.now += 0.9
    assert play(pace, clock, times(10.0, 2.0))[-1] == pytest.approx(1.9)


def test_after_a_long_delay_the_pacing_restarts(clock: Clock) -> None:
    pace = playback_pacer(clock)
    pace.wait(0.0)
    clock.now += 10.0
    assert play(pace, clock, [0.04, 0.08, 0.12]) == pytest.approx([10.0, 10.04, 10.08])


def test_rounds_follow_each_other_without_a_gap_or_an_overlap(clock: Clock) -> None:
    placed = rounds(playback_pacer(clock), clock, times(25.0, 2.0), 3)
    assert placed == pytest.approx(times(25.0, 6.0))
    assert clock.now - 1000.0 == pytest.approx(6.0 - 0.04)


def test_rounds_of_a_recording_that_does_not_begin_at_zero_have_no_gap(clock: Clock) -> None:
    """Transport streams begin at 1.4 s."""
    placed = rounds(playback_pacer(clock), clock, times(25.0, 2.0, start_s=1.4), 3)
    assert placed == pytest.approx(times(25.0, 6.0, start_s=1.4))


def test_rounds_of_reordered_frames_have_no_gap(clock: Clock) -> None:
    groups = [[3 * n + 1, 3 * n - 1, 3 * n] for n in range(1, 9)]
    sent = [0, 1, *(number for group in groups for number in group)]
    placed = rounds(playback_pacer(clock), clock, [number / 25 for number in sent], 3)
    assert sorted(placed) == pytest.approx(times(25.0, 3 * len(sent) / 25))


def test_rounds_of_a_single_frame_continue(clock: Clock) -> None:
    assert rounds(playback_pacer(clock), clock, [0.0], 3) == pytest.approx([0.0, 1.0, 2.0])
    assert clock.now - 1000.0 == pytest.approx(2.0)


def test_a_jump_ahead_is_waited_for_too_briefly_to_count_as_hung(
    clock: Clock,
) -> None:
    shown = play(playback_pacer(clock), clock, [0.0, 0.04, 90_000.0, 90_000.04])
    assert shown == pytest.approx([0.0, 0.04, 3.04, 3.08])


def test_a_jump_back_restarts_the_pacing(clock: Clock) -> None:
    shown = play(playback_pacer(clock), clock, [500.0, 500.04, 0.0, 0.04])
    assert shown == pytest.approx([0.0, 0.04, 0.04, 0.08])
