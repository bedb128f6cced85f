"""Labels in CSV and JSON with named columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.labels.label_files import read_samples
from training.labels.samples import DataError, PersonBox, TrackFile


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


def test_json_gives_the_same_samples_as_csv(tmp_path: Path) -> None:
    rows = [
        {"path": "a.mp4", "labels": ["walk", "point"], "start": 1, "box": [1, 2, 3, 4]},
        {"path": "b.mp4", "label": "hug", "group": 7},
    ]
    (tmp_path / "l.json").write_text(json.dumps(rows))
    first, second = read_samples(tmp_path / "l.json")
    assert (first.labels, first.start_s) == (("walk", "point"), 1.0)
    assert first.box == PersonBox((1, 2, 3, 4))
    assert (second.labels, second.group) == (("hug",), "7")


def test_a_tilde_in_a_path_is_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/operator")
    (tmp_path / "l.csv").write_text("path,label,track\n~/a.mp4,hug,~/a.txt\n")
    [sample] = read_samples(tmp_path / "l.csv")
    assert sample.path == Path("/home/operator/a.mp4")
    assert sample.box == TrackFile(Path("/home/operator/a.txt"), None)


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


def test_all_wrong_rows_are_reported_together_up_to_ten(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("path,label\n" + "a.mp4,\n" * 13)
    with pytest.raises(DataError) as error:
        read_samples(tmp_path / "l.csv")
    lines = str(error.value).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "... and 3 more lines"


def test_an_unknown_column_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "l.csv").write_text("path,label,grup\na.mp4,hug,1\n")
    read_samples(tmp_path / "l.csv")
    assert "grup" in caplog.text
