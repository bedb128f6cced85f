"""Ground truth and linked detections."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.detections import Detections
from tests.training.factories import path_of
from training.crops.person_tracks import (
    MAX_MISSED,
    link_detections,
    read_mot_tracks,
    touches_another,
)


def seen(*lefts: float) -> Detections:
    boxes = np.array([[x, 0, x + 40, 100] for x in lefts], np.float32).reshape(-1, 4)
    return Detections(boxes, np.full(len(boxes), 0.9, np.float32))


def test_ground_truth_starts_at_frame_zero_and_leaves_out_what_is_to_be_ignored(
    tmp_path: Path,
) -> None:
    path = tmp_path / "gt.txt"
    path.write_text("2,7,10,20,30,40,1,-1\n1,7,9,20,30,40,1,-1\n1,8,0,0,5,5,0,-1\n")
    (track,) = read_mot_tracks(path)
    assert track.frames.tolist() == [0, 1]
    assert track.xyxy.tolist() == [[9, 20, 39, 60], [10, 20, 40, 60]]


def test_two_people_keep_their_own_boxes() -> None:
    tracks = link_detections([seen(5 * n, 300 - 5 * n) for n in range(20)])
    assert [len(track) for track in tracks] == [20, 20]
    assert [track.xyxy[-1, 0] for track in tracks] == [95, 205]


def test_a_short_absence_keeps_the_track_and_a_long_one_ends_it() -> None:
    short = link_detections([seen(0)] + [seen()] * MAX_MISSED + [seen(0)])
    assert len(short) == 2  # one sample more than MAX_MISSED since the last box
    kept = link_detections([seen(0)] + [seen()] * (MAX_MISSED - 1) + [seen(0)])
    assert [track.frames.tolist() for track in kept] == [[0, MAX_MISSED]]


def test_the_larger_overlap_wins() -> None:
    (first, second) = link_detections([seen(0), seen(15, 2)])
    assert first.xyxy[:, 0].tolist() == [0, 2]
    assert second.frames.tolist() == [1]


def test_only_people_close_to_each_other_touch() -> None:
    fighter, other = path_of(0.5), path_of(0.5, start_x=60)
    bystander = path_of(0.0, start_x=2000)
    assert touches_another(fighter, [other, bystander])
    assert not touches_another(bystander, [fighter, other])
    assert not touches_another(fighter, [])
