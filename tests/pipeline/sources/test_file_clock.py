from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipeline.sources.file_clock import FileClock, UsualStep


def place(stamps_s: Sequence[float | None], step_s: float = 0.04) -> tuple[list[float], list[str]]:
    clock = FileClock[int](step_s)
    placed = list(clock.place((stamp_s, n) for n, stamp_s in enumerate(stamps_s)))
    assert [item for _, item in placed] == list(range(len(stamps_s)))
    times_s = [pts_s for pts_s, _ in placed]
    assert times_s == sorted(set(times_s))
    return times_s, clock.report()


def steady(frames: int, step_s: float = 0.04, start_s: float = 0.0) -> list[float]:
    return [start_s + n * step_s for n in range(frames)]


@pytest.mark.parametrize(
    "stamps_s",
    [
        steady(50),
        steady(50, start_s=0.023),
        [0.0, 0.04, 0.08, 0.5, 0.52, 1.7, 1.74, 3.0],  # a variable rate
        steady(20, 5.0),  # a time lapse
        steady(25) + steady(25, start_s=3600.0),  # a pause between movements
        steady(25) + steady(2, start_s=30.0) + steady(3, start_s=90.0) + steady(9, start_s=99.0),
    ],
)
def test_stamps_that_a_clock_can_have_are_kept_exactly(stamps_s: list[float]) -> None:
    assert place(stamps_s) == (stamps_s, [])


@pytest.mark.parametrize("wild_s", [36_000.0, -36_000.0, 90.0, None])
@pytest.mark.parametrize("at", [range(20, 21), range(20, 23), range(20, 32), range(0, 50, 7)])
def test_wrong_stamps_are_replaced_by_the_time_between_their_neighbours(
    wild_s: float | None, at: range
) -> None:
    stamps: list[float | None] = list(steady(50))
    wild = [n for n in at if n]
    for n in wild:
        stamps[n] = wild_s
    times_s, report = place(stamps)
    assert times_s == pytest.approx(steady(50))
    [text] = report
    what = "frames without a time stamp" if wild_s is None else "impossible time stamps"
    assert text.startswith(what)
    assert text.endswith(f": {len(wild)}")


@pytest.mark.parametrize("wild_s", [36_000.0, -36_000.0, 30.0])
@pytest.mark.parametrize("at", [0, 49])
def test_a_wrong_stamp_of_the_first_or_last_frame_moves_nothing_else(
    at: int, wild_s: float
) -> None:
    stamps = steady(50)
    stamps[at] = wild_s
    times_s, report = place(stamps)
    assert times_s == pytest.approx(steady(50), abs=0.05)
    assert len(report) == 1


@pytest.mark.parametrize("rate", [5, 10, 25, 50])
@pytest.mark.parametrize("back_to_s", [0.0, 3.0, 4.0])
def test_a_part_whose_clock_starts_again_continues_with_its_own_distances(
    rate: int, back_to_s: float
) -> None:
    times_s, report = place(steady(125) + steady(10 * rate, 1 / rate, back_to_s))
    assert times_s == pytest.approx(steady(125) + steady(10 * rate, 1 / rate, 5.0))
    assert report == [
        "restarts of its clock: 1, first at 5.0 s; each part continues where the one before ended"
    ]


def test_many_parts_follow_each_other() -> None:
    times_s, report = place(steady(50) * 4)
    assert times_s == pytest.approx(steady(200))
    assert report[0].startswith("restarts of its clock: 3")


def test_stamps_out_of_order_do_not_move_the_rest() -> None:
    stamps_s = steady(100)
    stamps_s[30], stamps_s[31] = stamps_s[31], stamps_s[30]
    stamps_s[60] = stamps_s[59]
    stamps_s[80] -= 0.06
    times_s, _ = place(stamps_s)
    assert times_s == pytest.approx(steady(100), abs=0.05)
    assert times_s[33:] == pytest.approx(steady(100)[33:], abs=0.03)


def test_frames_without_stamps_have_the_stated_rate() -> None:
    times_s, report = place([None] * 40, step_s=0.1)
    assert times_s == pytest.approx(steady(40, 0.1))
    assert report == ["frames without a time stamp, placed by the rate: 39"]


def test_a_clock_that_stands_still_is_placed_by_the_rate() -> None:
    assert place([7.0] * 40)[0] == pytest.approx(steady(40, start_s=7.0))


def test_an_empty_file_has_no_time() -> None:
    assert place([]) == ([], [])


def test_the_usual_step_ignores_a_single_gap_and_follows_another_rate() -> None:
    usual = UsualStep()
    assert usual.seconds(0.5) == 0.5
    for step_s in [0.04, 0.04, 0.04, 3600.0]:
        usual.add(step_s)
    assert usual.seconds(0.5) == 0.04
    for _ in range(3):
        usual.add(0.2)
    assert usual.seconds(0.5) == 0.2
