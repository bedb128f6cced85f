"""From sampled frames of a video to rows of a label file that `train` reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.detections import Detections
from tests.training.factories import path_of
from training.crops.person_tracks import read_mot_tracks
from training.labels.label_files import read_samples
from training.labels.samples import TrackFile
from training.recipe.compact_groups import GroupStretch
from training.recipe.compact_labels import (
    SourceDetections,
    find_stretches,
    write_groups,
    write_labels,
    write_source,
)
from training.recipe.compact_sources import Source
from training.recipe.compact_stretches import Stretch

FRAMES = np.arange(0, 80, 2)  # every second frame was sampled


def source(dataset: str, **kwargs: object) -> Source:
    values = {"label": "hug", "rule": "as labelled", "group": "g:1", "held_out": True} | kwargs
    return Source(dataset, Path("/videos/a.avi"), **values)  # type: ignore[arg-type]


def detections(people: Detections) -> SourceDetections:
    return SourceDetections(FRAMES, FRAMES / 20, (320, 240), [people] * len(FRAMES))


def test_what_is_written_is_read_by_train(tmp_path: Path) -> None:
    (tmp_path / "tracks").mkdir()
    track = path_of(0.5)
    stretch = Stretch("hug", track, 0.5, 2.5)
    rows = write_source(source("scene"), detections(Detections.empty()), [stretch], tmp_path)
    write_labels(tmp_path / "labels.csv", rows)
    (sample,) = read_samples(tmp_path / "labels.csv")
    assert (sample.labels, sample.start_s, sample.end_s) == (("hug",), 0.5, 2.5)
    assert (sample.group, sample.split) == ("g:1", "test")
    assert sample.path.resolve() == Path("/videos/a.avi")
    assert isinstance(sample.box, TrackFile) and sample.box.track_id == 1
    (written,) = read_mot_tracks(sample.box.path)
    assert written.frames.tolist() == FRAMES.tolist()  # of the video, not of the samples
    np.testing.assert_allclose(written.xyxy, track.xyxy, atol=0.01)


def test_boxes_of_one_camera_of_a_collage_are_written_where_they_are_in_the_video(
    tmp_path: Path,
) -> None:
    (tmp_path / "tracks").mkdir()
    right = source("daily_living", part=(854, 10, 1280, 318))
    write_source(
        right, detections(Detections.empty()), [Stretch("walk", path_of(0.0), 0.0, 3.9)], tmp_path
    )
    (written,) = read_mot_tracks(next((tmp_path / "tracks").iterdir()))
    assert written.xyxy[0].tolist() == [854, 60, 894, 160]


def test_where_no_person_is_seen_a_labelled_clip_is_trained_on_whole() -> None:
    (whole,) = find_stretches(source("ut_interaction"), detections(Detections.empty()))
    assert whole.label == "hug" and whole.track.xyxy[0].tolist() == [0, 0, 320, 240]
    assert not find_stretches(source("daily_living"), detections(Detections.empty()))


def test_the_people_of_a_clip_get_its_label() -> None:
    boxes = np.array([[0, 50, 40, 150], [45, 50, 85, 150]], np.float32)
    people = Detections(boxes, np.array([0.9, 0.8], np.float32))
    stretches = find_stretches(source("ut_interaction"), detections(people))
    assert [one.label for one in stretches] == ["hug", "hug"]


def test_the_members_of_a_group_are_read_by_train_as_one_group(tmp_path: Path) -> None:
    (tmp_path / "tracks").mkdir()
    pair = (path_of(0.0), path_of(0.0, start_x=45.0))
    rows = write_groups(
        source("fight_surv"),
        detections(Detections.empty()),
        [GroupStretch("hug", pair, 0.0, 3.9)],
        tmp_path,
    )
    write_labels(tmp_path / "labels.csv", rows)
    (sample,) = read_samples(tmp_path / "labels.csv")
    assert (sample.subject, sample.labels) == ("group", ("hug",))
    assert isinstance(sample.box, TrackFile) and sample.box.track_id is None
    assert len(read_mot_tracks(sample.box.path)) == 2
