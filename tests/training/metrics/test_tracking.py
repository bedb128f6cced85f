"""The tracking score on results whose score is plain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from models.detections import Detections
from pipeline.stages.reattachment import ReattachSpec
from pipeline.types import Frame, TrackedPerson
from tests.conftest import write_video
from training.labels.mot_files import read_mot
from training.metrics.tracking import TrackingScore, evaluate_tracking, score_tracks

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


def test_a_box_far_from_every_person_is_wrong(tmp_path: Path) -> None:
    ghost = [mot_line(n, 9, 500) for n in FRAMES]
    assert score(tmp_path, TWO_PEOPLE, TWO_PEOPLE + ghost).precision == pytest.approx(2 / 3)


@pytest.mark.parametrize("is_found", [True, False])
def test_ignored_people_need_not_be_found_and_may_be(tmp_path: Path, is_found: bool) -> None:
    ignored = [mot_line(n, 3, 400, counts=0) for n in FRAMES]
    found = [mot_line(n, 5, 401) for n in FRAMES] if is_found else []
    result = score(tmp_path, TWO_PEOPLE + ignored, TWO_PEOPLE + found)
    assert (result.mota, result.precision, result.people) == pytest.approx((1, 1, 2))


def test_a_score_can_be_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    perfect = score(tmp_path, TWO_PEOPLE, TWO_PEOPLE)
    Console(width=120).print(perfect.to_table("somewhere"))
    assert "2 of 2" in capsys.readouterr().out
    assert TrackingScore(**json.loads(json.dumps(perfect.to_json()))) == perfect


@pytest.mark.parametrize("line", ["1,1,10,20,30", "1,1,10,20,wide,60,1", "0,1,10,20,30,60,1"])
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "gt.txt").write_text(f"{TWO_PEOPLE[0]}\n\n{line}\n")
    with pytest.raises(ValueError, match=r"gt\.txt, line 3: .*frame, id, left"):
        read_mot(tmp_path / "gt.txt")


class SeesOnePerson:
    """A person who stands still."""

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        box = np.array([[10, 8, 30, 40]], np.float32)
        return [Detections(box, np.ones(1, np.float32)) for _ in images]


class OneTrack:
    """Follows the first box from the third frame on."""

    def update(
        self, frame: Frame, detections: Detections
    ) -> tuple[tuple[TrackedPerson, ...], tuple[int, ...]]:
        person = TrackedPerson(1, detections.xyxy[0], float(detections.confidence[0]))
        return ((person,) if frame.index >= 2 else ()), ()


def test_a_video_is_tracked_and_its_first_frame_is_number_one(tmp_path: Path) -> None:
    video = write_video(tmp_path / "walk.mp4", [n / 10 for n in range(8)])
    truth = tmp_path / "gt.txt"
    truth.write_text("\n".join(f"{n},7,10,8,20,32,1" for n in range(1, 9)))
    done: list[int] = []
    found = evaluate_tracking(truth, video, SeesOnePerson(), OneTrack, ReattachSpec(), done.append)
    assert (found.recall, found.precision) == pytest.approx((6 / 8, 1))
    assert done == list(range(1, 9))


def test_ground_truth_without_people_is_an_error(tmp_path: Path) -> None:
    truth = tmp_path / "gt.txt"
    truth.write_text(mot_line(1, 1, 100, counts=0))
    with pytest.raises(ValueError, match="no person to track"):
        evaluate_tracking(truth, tmp_path / "none.mp4", SeesOnePerson(), OneTrack, ReattachSpec())
