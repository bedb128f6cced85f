"""Cutting the people of one sample, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.boxes import FloatArray
from tests.conftest import make_frame
from tests.training.factories import SMALL
from training.crops.crop_cache import CachedTrack, CutSpec, read_entry
from training.crops.person_tracks import PersonTrack, write_mot_tracks
from training.crops.sample_cut import SampleCut, stretch_s
from training.labels.samples import DataError, PersonBox, Sample, TrackFile

BOX = np.array([4, 4, 20, 28], np.float32)
BESIDE = np.array([18, 4, 34, 28], np.float32)
VIDEO = Path("a.mp4")
FIGHTS = replace(SMALL, group_labels=("fight",))


def cut(
    folder: Path,
    sample: Sample,
    people: Sequence[tuple[str, FloatArray]],
    frames: int = 21,
    spec: CutSpec = SMALL,
) -> list[CachedTrack]:
    entry = folder / "key.json"
    cutting = SampleCut(sample, spec, entry)
    for index in range(frames):
        frame = make_frame(index)
        if cutting.covers(frame.pts_s):
            cutting.add(frame, people if cutting.wants_people else ())
    try:
        cutting.finish()
    finally:
        cutting.discard()
    return read_entry(entry, sample) or []


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [
        (None, None, (0.0, np.inf)),
        (1.0, 9.0, (1.0, 9.0)),
        (5.0, 6.0, (4.5, 6.5)),
        (0.2, 0.4, (0.0, 1.3)),
    ],
)
def test_a_stretch_is_at_least_as_long_as_a_clip(
    start_s: float | None, end_s: float | None, expected: tuple[float, float]
) -> None:
    found = stretch_s(Sample(VIDEO, ("walk",), start_s, end_s), span_s=2.0)
    assert found == pytest.approx(expected)


def test_tracked_people_are_cut_and_the_whole_frame_is_not_kept(tmp_path: Path) -> None:
    [track] = cut(tmp_path, Sample(VIDEO, ("walk",)), [("1-7", BOX)])
    assert not track.whole_frame
    np.testing.assert_allclose(track.pts_s, np.arange(21) / 10)
    assert {path.name for path in tmp_path.iterdir()} == {"key.json", "key.jpegs"}


def test_without_people_the_whole_frame_is_kept(tmp_path: Path) -> None:
    [track] = cut(tmp_path, Sample(VIDEO, ("walk",)), [])
    assert track.whole_frame


def test_a_given_box_needs_no_detected_people(tmp_path: Path) -> None:
    sample = Sample(VIDEO, ("walk",), box=PersonBox((0.1, 0.1, 0.9, 0.9), normalized=True))
    [track] = cut(tmp_path, sample, [])
    assert not track.whole_frame


def test_an_entry_that_cannot_be_finished_leaves_no_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 frames from 0 s to its end: too short"):
        cut(tmp_path, Sample(VIDEO, ("walk",)), [("1-7", BOX)], frames=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("box", "complaint"),
    [
        ((200, 10, 230, 40), "lies outside the frame"),
        ((-90, 10, 20, 40), "lies mostly outside the frame"),
        ((10, 10, 300, 300), "lies mostly outside the frame"),
        ((10, 10, 12, 40), "smaller than 4 pixels"),
    ],
)
def test_a_box_that_shows_nobody_is_an_error(
    box: tuple[float, float, float, float], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=complaint):
        cut(tmp_path, Sample(VIDEO, ("walk",), box=PersonBox(box)), ())


def test_a_label_of_groups_is_cut_as_the_group_and_not_as_its_people(tmp_path: Path) -> None:
    sample = Sample(VIDEO, ("fight",))
    [track] = cut(tmp_path, sample, [("1-1", BOX), ("1-2", BESIDE)], spec=FIGHTS)
    assert (track.subject, track.who) == ("group", "group 1")
    np.testing.assert_allclose(track.pts_s, np.arange(21) / 10)


def test_a_fight_of_which_one_person_is_tracked_has_no_clip_of_a_group(tmp_path: Path) -> None:
    [track] = cut(tmp_path, Sample(VIDEO, ("fight",)), [("1-1", BOX)], spec=FIGHTS)
    assert track.whole_frame


def test_other_labels_are_shown_by_people_and_by_groups(tmp_path: Path) -> None:
    sample = Sample(VIDEO, ("nothing",))
    tracks = cut(tmp_path, sample, [("1-1", BOX), ("1-2", BESIDE)], spec=FIGHTS)
    assert [track.subject for track in tracks] == ["person", "person", "group"]


def test_the_subject_of_a_sample_can_be_given(tmp_path: Path) -> None:
    people = [("1-1", BOX), ("1-2", BESIDE)]
    for subject, count in (("person", 2), ("group", 1)):
        sample = Sample(VIDEO, ("nothing",), subject=subject)  # type: ignore[arg-type]
        tracks = cut(tmp_path, sample, people, spec=FIGHTS)
        assert [track.subject for track in tracks] == [subject] * count


def test_a_fight_of_a_person_is_refused(tmp_path: Path) -> None:
    sample = Sample(VIDEO, ("fight",), subject="person", origin="labels.csv:3")
    with pytest.raises(DataError, match=r"labels\.csv:3: fight is a label of groups"):
        cut(tmp_path, sample, [], spec=FIGHTS)


def test_a_file_with_the_tracks_of_all_members_is_a_group(tmp_path: Path) -> None:
    frames = np.arange(21)
    tracks = [
        PersonTrack(frames, np.tile(box, (21, 1)), number)
        for number, box in enumerate((BOX, BESIDE), start=1)
    ]
    write_mot_tracks(tmp_path / "members.txt", tracks)
    sample = Sample(VIDEO, ("fight",), box=TrackFile(tmp_path / "members.txt"))
    [track] = cut(tmp_path, sample, [], spec=FIGHTS)
    assert track.subject == "group"
    assert len(track) == 21
