"""The tracking score on results whose score is plain."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("trackeval", reason="trackeval is in requirements-dev.txt")

from benchmarks.tracking import TrackingScore, read_mot, score_tracks

FRAMES = range(1, 11)


def mot_line(frame: int, track_id: int, left: float, counts: int = 1) -> str:
    return f"{frame},{track_id},{left},20,30,60,{counts},-1,-1,-1"


TWO_PEOPLE = [mot_line(n, person, 100 * person + n) for n in FRAMES for person in (1, 2)]


def score(tmp_path: Path, truth: list[str], result: list[str]) -> TrackingScore:
    (tmp_path / "gt.txt").write_text("\n".join(truth))
    (tmp_path / "result.txt").write_text("\n".join(result))
    return score_tracks(read_mot(tmp_path / "gt.txt"), read_mot(tmp_path / "result.txt"))


def test_the_truth_itself_scores_one(tmp_path: Path) -> None:
    perfect = score(tmp_path, TWO_PEOPLE, TWO_PEOPLE)
    assert (perfect.mota, perfect.idf1, perfect.hota) == pytest.approx((1, 1, 1))
    assert (perfect.id_switches, perfect.mostly_tracked, perfect.mostly_lost) == (0, 2, 0)
    assert (perfect.people, perfect.tracks) == (2, 2)


def test_a_new_id_halfway_is_one_switch_and_half_an_identity(tmp_path: Path) -> None:
    result = [mot_line(n, 7 if n <= 5 else 8, 100 + n) for n in FRAMES]
    switched = score(tmp_path, [mot_line(n, 1, 100 + n) for n in FRAMES], result)
    assert switched.id_switches == 1
    assert switched.mota == pytest.approx(0.9)
    assert switched.idf1 == pytest.approx(0.5)


def test_a_missed_person_is_mostly_lost(tmp_path: Path) -> None:
    one_of_two = score(tmp_path, TWO_PEOPLE, [line for line in TWO_PEOPLE if ",1," in line[:5]])
    assert (one_of_two.mostly_tracked, one_of_two.mostly_lost) == (1, 1)
    assert (one_of_two.recall, one_of_two.precision) == pytest.approx((0.5, 1))


def test_a_box_far_from_everybody_is_wrong(tmp_path: Path) -> None:
    ghost = [mot_line(n, 9, 500) for n in FRAMES]
    assert score(tmp_path, TWO_PEOPLE, TWO_PEOPLE + ghost).precision == pytest.approx(2 / 3)


@pytest.mark.parametrize("is_found", [True, False])
def test_ignored_people_need_not_be_found_and_may_be(tmp_path: Path, is_found: bool) -> None:
    ignored = [mot_line(n, 3, 400, counts=0) for n in FRAMES]
    found = [mot_line(n, 5, 401) for n in FRAMES] if is_found else []
    result = score(tmp_path, TWO_PEOPLE + ignored, TWO_PEOPLE + found)
    assert (result.mota, result.precision, result.people) == pytest.approx((1, 1, 2))
