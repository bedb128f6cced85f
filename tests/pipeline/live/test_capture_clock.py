"""Simulated cameras on clocks of their own; nothing here waits."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.live.capture_clock import PLAUSIBLE_DELAY_S, WINDOW_S, CaptureClock

FPS = 25
OURS_S, THEIRS_S = 5000.0, 90_000.0  # the two clocks when the connection begins
RTP_WRAP_S = 2**32 / 90_000


@dataclass(frozen=True)
class Sent:
    """A frame, and when it was captured on the local clock."""

    taken_s: float
    pts_s: float
    arrived_s: float


def camera(
    seconds: float, *, fps: float = FPS, ppm: float = 0.0, travel_s: float = 0.02, jitter_s: float
) -> Iterator[Sent]:
    """Frames that arrive in order, each late by a random time that is rarely long."""
    chance = random.Random(1)
    arrived_s = 0.0
    for number in range(round(seconds * fps)):
        taken_s = OURS_S + number / fps
        late_s = min(chance.expovariate(1 / jitter_s), 0.2) if jitter_s else 0.0
        arrived_s = max(arrived_s, taken_s + travel_s + late_s)
        yield Sent(taken_s, THEIRS_S + number / fps * (1 + ppm / 1e6), arrived_s)


def steady(clock: CaptureClock, seconds: float, start_s: float = 0.0) -> None:
    """Frames without any delay: media time 0 is 100 s on the local clock."""
    for number in range(round(seconds * FPS)):
        at_s = start_s + number / FPS
        assert not clock.arrived(at_s, 100 + at_s)


def test_a_frame_without_delay_was_captured_when_it_arrived() -> None:
    clock = CaptureClock()
    clock.arrived(7.0, 100.0)
    assert clock.captured_s(7.0) == pytest.approx(100.0)
    assert clock.delay_s(7.0, 100.0) == pytest.approx(0.0)


def test_the_fastest_frame_is_the_reference_of_the_others() -> None:
    clock = CaptureClock()
    clock.arrived(1.00, 101.30)
    clock.arrived(1.04, 101.05)
    clock.arrived(1.08, 101.20)
    assert clock.captured_s(1.08) == pytest.approx(101.09)
    assert clock.delay_s(1.08, 101.20) == pytest.approx(0.11)


def test_a_faster_frame_corrects_earlier_ones() -> None:
    clock = CaptureClock()
    clock.arrived(1.00, 101.30)
    assert clock.captured_s(1.00) == pytest.approx(101.30)
    clock.arrived(1.04, 101.05)
    assert clock.captured_s(1.00) == pytest.approx(101.01)


def test_a_fast_frame_is_remembered_for_a_minute_and_no_longer() -> None:
    clock = CaptureClock()
    clock.arrived(0.0, 100.0)
    for number in range(1, round(WINDOW_S)):
        clock.arrived(number, 100.2 + number)
    assert clock.delay_s(59.0, 159.2) == pytest.approx(0.2)
    clock.arrived(60.5, 160.7)
    assert clock.delay_s(60.5, 160.7) == pytest.approx(0.0)


def test_jitter_does_not_reach_the_time_of_capture() -> None:
    clock = CaptureClock()
    for sent in camera(60.0, jitter_s=0.03):
        clock.arrived(sent.pts_s, sent.arrived_s)
        if sent.taken_s > OURS_S + 5.0:
            assert clock.captured_s(sent.pts_s) == pytest.approx(sent.taken_s + 0.02, abs=0.003)


@pytest.mark.parametrize("ppm", [0.0, 50.0, 300.0, 1000.0])
def test_a_camera_whose_clock_is_fast_is_followed_for_an_hour(ppm: float) -> None:
    clock = CaptureClock()
    for sent in camera(3600.0, fps=10, ppm=ppm, jitter_s=0.01):
        assert not clock.arrived(sent.pts_s, sent.arrived_s)
        if sent.taken_s > OURS_S + 5.0:
            assert clock.captured_s(sent.pts_s) == pytest.approx(sent.taken_s + 0.02, abs=0.008)


@pytest.mark.parametrize("ppm", [-50.0, -300.0, -1000.0])
def test_a_camera_whose_clock_is_slow_is_followed_a_window_behind(ppm: float) -> None:
    """What it lost in a minute: 3 ms at 50 ppm, 60 ms at the worst clock that is thought of."""
    behind_s = -ppm / 1e6 * (WINDOW_S + 1.0)
    clock = CaptureClock()
    for sent in camera(3600.0, fps=10, ppm=ppm, jitter_s=0.01):
        assert not clock.arrived(sent.pts_s, sent.arrived_s)
        if sent.taken_s > OURS_S + 5.0:
            error_s = clock.captured_s(sent.pts_s) - (sent.taken_s + 0.02)
            assert -behind_s - 0.001 <= error_s <= 0.008


def test_a_burst_after_a_hold_up_is_late_and_no_jump() -> None:
    clock = CaptureClock()
    steady(clock, 10.0)
    held_up = []
    for number in range(100):  # 4 s of frames within 0.1 s, when the line is back
        pts_s, arrived_s = 10.0 + number / FPS, 114.0 + number / 1000
        assert not clock.arrived(pts_s, arrived_s)
        held_up.append(clock.delay_s(pts_s, arrived_s))
        assert clock.captured_s(pts_s) == pytest.approx(100 + pts_s)
    assert held_up[0] == pytest.approx(4.0)
    assert held_up[-1] == pytest.approx(4.0 - 99 / FPS + 0.099)


def test_lost_frames_are_no_jump() -> None:
    clock = CaptureClock()
    steady(clock, 2.0)
    assert not clock.arrived(32.0, 132.0)
    assert clock.delay_s(32.0, 132.0) == pytest.approx(0.0)


def test_reordered_frames_are_no_jump() -> None:
    clock = CaptureClock()
    for pts_s, arrived_s in [(0.12, 100.0), (0.04, 100.04), (0.08, 100.08), (0.24, 100.12)]:
        assert not clock.arrived(pts_s, arrived_s)


@pytest.mark.parametrize("to_s", [0.0, 8.0, 10.0 - RTP_WRAP_S, 16.0, 10_000.0, 10.0 + RTP_WRAP_S])
def test_after_a_jump_the_clock_is_followed_from_the_beginning(to_s: float) -> None:
    clock = CaptureClock()
    steady(clock, 10.0)
    assert clock.arrived(to_s, 110.3)
    assert clock.captured_s(to_s) == pytest.approx(110.3)
    assert not clock.arrived(to_s + 0.04, 110.34)
    assert clock.delay_s(to_s + 0.04, 110.34) == pytest.approx(0.0)


def test_a_jump_discards_what_the_sender_reported() -> None:
    clock = CaptureClock()
    steady(clock, 2.0)
    assert clock.use_sender_clock(99.5) is None
    assert clock.arrived(-1000.0, 102.0)
    assert clock.captured_s(-1000.0) == pytest.approx(102.0)


def test_a_delay_followed_by_a_jump_ahead_of_the_local_clock_is_a_jump() -> None:
    clock = CaptureClock()
    steady(clock, 2.0)
    assert not clock.arrived(34.0, 132.0)  # 2 s ahead: a burst may be
    assert clock.arrived(74.0, 162.0)


def test_the_senders_clock_gives_the_transmission_time_of_frames() -> None:
    clock = CaptureClock()
    steady(clock, 2.0)
    assert clock.use_sender_clock(99.7) is None
    assert clock.captured_s(1.0) == pytest.approx(100.7)
    assert clock.delay_s(1.0, 101.0) == pytest.approx(0.0)


@pytest.mark.parametrize("delay_s", [-0.06, -3600.0, PLAUSIBLE_DELAY_S + 0.01, 1e9])
def test_a_senders_clock_that_cannot_be_right_is_not_used(delay_s: float) -> None:
    clock = CaptureClock()
    steady(clock, 2.0)
    assert clock.use_sender_clock(100.0 - delay_s) == pytest.approx(delay_s)
    assert clock.captured_s(1.0) == pytest.approx(101.0)


@pytest.mark.parametrize(("delay_s", "used_s"), [(-0.04, 0.0), (0.0, 0.0), (4.9, 4.9)])
def test_a_senders_clock_may_be_a_little_ahead_of_ours(delay_s: float, used_s: float) -> None:
    clock = CaptureClock()
    steady(clock, 2.0)
    assert clock.use_sender_clock(100.0 - delay_s) is None
    assert clock.captured_s(1.0) == pytest.approx(101.0 - used_s)


def test_what_had_piled_up_before_the_sender_spoke_is_not_taken_for_its_delay() -> None:
    clock = CaptureClock()
    clock.arrived(0.0, 101.2)  # it waited 1.2 s while the connection was made
    assert clock.use_sender_clock(99.96) is None
    for number in range(1, 200):
        clock.arrived(number / 25, max(100 + number / 25, 101.2 + number / 1000))
    assert clock.captured_s(7.0) == pytest.approx(106.96)


def test_two_clocks_that_run_apart_do_not_change_what_the_sender_reported() -> None:
    clock = CaptureClock()
    steady(clock, 2.0)
    assert clock.use_sender_clock(99.7) is None
    for number in range(10, 3600):
        pts_s = float(number)
        clock.arrived(pts_s, 100 + pts_s * 1.0005)
    assert 100 + pts_s * 1.0005 - clock.captured_s(pts_s) == pytest.approx(0.3, abs=0.06)


@given(
    late_s=st.lists(st.floats(0.0, 4.0), min_size=1, max_size=200),
    step_s=st.floats(0.02, 1.0),
)
def test_no_frame_was_captured_after_it_arrived(late_s: list[float], step_s: float) -> None:
    clock, arrived_s = CaptureClock(), 0.0
    for number, late in enumerate(late_s):
        pts_s = number * step_s
        arrived_s = max(arrived_s, 100 + pts_s + late)
        assert not clock.arrived(pts_s, arrived_s)
        assert clock.captured_s(pts_s) <= arrived_s + 1e-9
        assert clock.delay_s(pts_s, arrived_s) >= -1e-9
