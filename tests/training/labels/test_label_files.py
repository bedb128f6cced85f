"""Labels in every form."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.labels.label_files import read_samples
from training.labels.samples import DataError, label_names


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_folder_per_class_labels_its_videos(tmp_path: Path) -> None:
    put(tmp_path, "walk/b.mp4", "walk/deep/a.avi", "hug/c.mkv", "hug/notes.txt", ".git/d.mp4")
    samples = read_samples(tmp_path)
    assert [(s.path.name, s.labels) for s in samples] == [
        ("c.mkv", ("hug",)),
        ("b.mp4", ("walk",)),
        ("a.avi", ("walk",)),
    ]
    assert {s.split for s in samples} == {None}


def test_folders_named_after_splits_hold_the_classes(tmp_path: Path) -> None:
    put(tmp_path, "train/walk/a.mp4", "val/walk/b.mp4", "test/hug/c.mp4")
    assert [(s.labels[0], s.split) for s in read_samples(tmp_path)] == [
        ("hug", "test"),
        ("walk", "train"),
        ("walk", "val"),
    ]


def test_a_table_in_the_folder_takes_precedence_over_the_folders(tmp_path: Path) -> None:
    put(tmp_path, "walk/a.mp4")
    (tmp_path / "labels.csv").write_text("path,label\nwalk/a.mp4,run\n")
    (sample,) = read_samples(tmp_path)
    assert sample.labels == ("run",)
    assert sample.path == tmp_path / "walk/a.mp4"


def test_the_error_for_a_folder_without_videos_names_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder per class"):
        read_samples(tmp_path)


def test_the_error_for_an_unsupported_file_names_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("video;label\na.mp4;hug\n")
    with pytest.raises(DataError, match=r"l\.csv:1: expected a header"):
        read_samples(tmp_path / "l.csv")
    with pytest.raises(DataError, match="no such file"):
        read_samples(tmp_path / "none.csv")


def test_the_shared_labels_are_read_with_their_groups(shared_data: Path) -> None:
    samples = read_samples(shared_data / "data/ut_interaction")
    assert len(samples) == 96
    assert len(label_names(samples)) == 6
    assert all(sample.group and sample.path.is_file() for sample in samples)
