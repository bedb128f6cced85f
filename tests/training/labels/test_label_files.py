"""Labels in every form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.labels.label_files import read_samples
from training.labels.samples import DataError, PersonBox, TrackFile, label_names


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


def test_a_table_in_the_folder_goes_before_the_folders(tmp_path: Path) -> None:
    put(tmp_path, "walk/a.mp4")
    (tmp_path / "labels.csv").write_text("path,label\nwalk/a.mp4,run\n")
    (sample,) = read_samples(tmp_path)
    assert sample.labels == ("run",)
    assert sample.path == tmp_path / "walk/a.mp4"


def test_a_folder_without_videos_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder per class"):
        read_samples(tmp_path)


def test_a_csv_has_labels_times_boxes_tracks_groups_and_splits(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "\ufeffpath,Label,start,end,x1,y1,x2,y2,track,track_id,group,split\n"
        "a.mp4,walk|point,1.5,4,10,20,30,60,,,g1,train\n"
        "\n"
        "b.mp4,hug,,,,,,,b.txt,3,,val\n"
    )
    first, second = read_samples(path)
    assert first.labels == ("walk", "point")
    assert (first.start_s, first.end_s) == (1.5, 4.0)
    assert first.box == PersonBox((10, 20, 30, 60))
    assert (first.group, first.split, first.origin) == ("g1", "train", f"{path}:2")
    assert second.box == TrackFile(tmp_path / "b.txt", 3)
    assert (second.start_s, second.group, second.split) == (None, None, "val")
    assert second.origin == f"{path}:4"


def test_json_says_the_same_as_csv(tmp_path: Path) -> None:
    rows = [
        {"path": "a.mp4", "labels": ["walk", "point"], "start": 1, "box": [1, 2, 3, 4]},
        {"path": "b.mp4", "label": "hug", "group": 7},
    ]
    (tmp_path / "l.json").write_text(json.dumps(rows))
    first, second = read_samples(tmp_path / "l.json")
    assert (first.labels, first.start_s) == (("walk", "point"), 1.0)
    assert first.box == PersonBox((1, 2, 3, 4))
    assert (second.labels, second.group) == (("hug",), "7")


def test_a_box_may_stand_in_one_column(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text('path,label,box\na.mp4,hug,"1, 2, 3, 4"\nb.mp4,hug,1 2 3 4\n')
    assert [s.box for s in read_samples(tmp_path / "l.csv")] == [PersonBox((1, 2, 3, 4))] * 2


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("a.mp4,,,,,", "label: missing"),
        (",hug,,,,", "path: missing"),
        ("a.mp4,hug,soon,,,", "start: expected a number, got 'soon'"),
        ("a.mp4,hug,4,3,,", "end 3 is not after start 4"),
        ("a.mp4,hug,,,1 2 3,", "box: expected four numbers"),
        ("a.mp4,hug,,,5 2 3 4,", "x1 < x2"),
        ("a.mp4,hug|hug,,,,", "twice"),
        ("a.mp4,hug,,,,testing", "one of train, val, test, got 'testing'"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path: Path, row: str, complaint: str) -> None:
    (tmp_path / "l.csv").write_text(f"path,label,start,end,box,split\nok.mp4,hug,,,,\n{row}\n")
    with pytest.raises(DataError, match=r"l\.csv:3: ") as error:
        read_samples(tmp_path / "l.csv")
    assert complaint in str(error.value)


def test_all_wrong_rows_are_told_at_once_up_to_ten(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("path,label\n" + "a.mp4,\n" * 13)
    with pytest.raises(DataError) as error:
        read_samples(tmp_path / "l.csv")
    lines = str(error.value).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "... and 3 more lines"


def test_an_unknown_column_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "l.csv").write_text("path,label,grup\na.mp4,hug,1\n")
    read_samples(tmp_path / "l.csv")
    assert "grup" in caplog.text


def test_a_list_of_mmaction2_has_numbers_named_by_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "ucf_train_list.txt").write_text("some dir/a 1.mp4 1\nb.mp4 0 1\n\n")
    (tmp_path / "labels.txt").write_text("hug\nwalk\n")
    first, second = read_samples(tmp_path / "ucf_train_list.txt")
    assert (first.path, first.labels) == (tmp_path / "some dir/a 1.mp4", ("walk",))
    assert second.labels == ("hug", "walk")
    assert {first.split, second.split} == {"train"}


def test_a_list_without_names_says_how_to_give_them(
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


def test_a_film_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "ava.csv").write_text("other,2,0.1,0.2,0.3,0.9,1,0\n")
    with pytest.raises(DataError, match=r"ava\.csv:1: no video other in .*--videos"):
        read_samples(tmp_path / "ava.csv")


def test_what_is_no_labels_file_says_what_is_expected(tmp_path: Path) -> None:
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
