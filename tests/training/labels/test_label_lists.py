"""Labels as mmaction2, PySlowFast and AVA write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.labels.label_files import read_samples
from training.labels.samples import DataError, PersonBox


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_list_of_mmaction2_has_numbers_named_by_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "ucf_train_list.txt").write_text("some dir/a 1.mp4 1\nb.mp4 0 1\n\n")
    (tmp_path / "labels.txt").write_text("hug\nwalk\n")
    first, second = read_samples(tmp_path / "ucf_train_list.txt")
    assert (first.path, first.labels) == (tmp_path / "some dir/a 1.mp4", ("walk",))
    assert second.labels == ("hug", "walk")
    assert {first.split, second.split} == {"train"}


def test_the_error_for_a_list_without_names_explains_how_to_give_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "all.csv").write_text("a.mp4 12\n")
    (sample,) = read_samples(tmp_path / "all.csv", videos=Path("/videos"))
    assert sample.labels == ("class_12",)
    assert sample.path == Path("/videos/a.mp4")
    assert "all.labels.txt" in caplog.text


def test_a_number_without_a_name_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.mp4 0\nb.mp4 2\n")
    (tmp_path / "names.txt").write_text("hug\nwalk\n")
    with pytest.raises(DataError, match=r"list\.txt:2: label 2 has no name \(known: 0 to 1\)"):
        read_samples(tmp_path / "list.txt", label_file=tmp_path / "names.txt")


AVA = """\
film,0902,0.1,0.2,0.3,0.9,12,0
film,0902,0.1,0.2,0.3,0.9,17,0
film,0902,0.5,0.2,0.7,0.9,12,1
film,0903,,,,,,
"""


ACTIONS = 'item {\n  name: "stand"\n  id: 12\n}\nitem {\n  name: "talk"\n  id: 17\n}\n'


def test_rows_of_ava_become_people_with_several_labels(tmp_path: Path) -> None:
    put(tmp_path, "film.mkv")
    (tmp_path / "ava_val_v2.2.csv").write_text(AVA)
    (tmp_path / "actions.pbtxt").write_text(ACTIONS)
    first, second = read_samples(
        tmp_path / "ava_val_v2.2.csv", label_file=tmp_path / "actions.pbtxt", time_offset_s=900.0
    )
    assert first.labels == ("stand", "talk")
    assert (first.start_s, first.end_s) == (0.5, 3.5)
    assert first.box == PersonBox((0.1, 0.2, 0.3, 0.9), normalized=True)
    assert (first.path.name, first.group, first.split) == ("film.mkv", "film", "val")
    assert second.labels == ("stand",)


def test_a_missing_video_of_ava_is_named(tmp_path: Path) -> None:
    (tmp_path / "ava.csv").write_text("other,2,0.1,0.2,0.3,0.9,1,0\n")
    with pytest.raises(DataError, match=r"ava\.csv:1: no video other in .*--videos"):
        read_samples(tmp_path / "ava.csv")
