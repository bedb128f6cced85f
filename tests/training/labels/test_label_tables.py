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
        "\ufeffpath,Label,start,end,x1,y1,x2,y2,track,track_id,group,split,kind,source\n"
        "a.mp4,walk|point,1.5,4,10,20,30,60,,,g1,train,crowd,b.mp4 2-5\n"
        "\n"
        "b.mp4,hug,,,,,,,b.txt,3,,val\n"
    )
    first, second = read_samples(path)
    assert first.labels == ("walk", "point")
    assert (first.start_s, first.end_s) == (1.5, 4.0)
    assert first.box == PersonBox((10, 20, 30, 60))
    assert (first.group, first.split, first.origin) == ("g1", "train", f"{path}:2")
    assert (first.kind, first.source) == ("crowd", "b.mp4 2-5")
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


def test_the_subject_of_a_row_is_a_person_or_a_group(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_text("path,label,subject\na.mp4,hug,Group\nb.mp4,walk,person\nc.mp4,walk,\n")
    assert [sample.subject for sample in read_samples(path)] == ["group", "person", None]
    path.write_text("path,label,subject\na.mp4,hug,crowd\n")
    with pytest.raises(DataError, match="subject: expected person or group, got 'crowd'"):
        read_samples(path)


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


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            "path,label\na.mp4,fall, forward\n",
            r':2: 3 cells for 2 columns; .* needs quotes, as in "fall, forward"',
        ),
        ("path,label,label\na.mp4,walk,run\n", ":1: the column label stands there twice"),
        ("path,label,x1,X1\na.mp4,walk,1,2\n", ":1: the column x1 stands there twice"),
        ('path,label\na.mp4,walk\nb.mp4,"run\nc.mp4,hug\n', ":3: .*never closed"),
        (f"path,label\na.mp4,{'x' * 200_000}\n", ":2: field larger than"),
        ("path,label,start,end\na.mp4,walk,nan,2\n", ":2: start: expected a number, got 'nan'"),
        ("path,label,start,end\na.mp4,walk,0,inf\n", ":2: end: expected a number, got 'inf'"),
        ("path,label,start,end\na.mp4,walk,-1,2\n", ":2: start -1 is before the video begins"),
        ("path,label,start,end\na.mp4,walk,3,2\n", ":2: end 2 is not after start 3"),
        ("path,label,x1,y1,x2,y2\na.mp4,walk,.1,.2,.5,.9\n", ":2: box: .* looks like fractions"),
        ('path,label,box\na.mp4,walk,"0,0,1,1"\n', ":2: box: 0,0,1,1 looks like fractions"),
        ("path,label,x1,y1,x2,y2\na.mp4,walk,1,2,nan,9\n", ":2: x2: expected a number, got 'nan'"),
        ("path,label,x1,y1,x2,y2\na.mp4,walk,50,2,10,9\n", ":2: a box is x1,y1,x2,y2 with x1 < x2"),
        ("path,label\na.mp4,w\xe4lk\n", ":2: is not UTF-8 .* save the file as UTF-8"),
        ("path,label\n" + "a.mp4,walk\n" * 2000 + "b.mp4,w\xe4lk\n", ":2002: is not UTF-8"),
        ("path,label\na.mp4,wa\0lk\n", ":2: has a NUL"),
    ],
)
def test_a_table_that_means_something_else_is_an_error(
    content: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "l.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=rf"l\.csv{complaint}"):
        read_samples(tmp_path / "l.csv")


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ('"start": NaN', "start: expected a number, got nan"),
        ('"end": Infinity', "end: expected a number, got inf"),
        ('"start": true', "start: expected a number, got True"),
        (f'"start": {"9" * 400}', "start: expected a number"),
        ('"box": [0.1, 0.2, 0.5, 0.9]', "looks like fractions"),
        ('"labels": [["a"], "b"]', "label: expected a name or a list of names"),
    ],
)
def test_a_json_that_means_something_else_is_an_error(
    value: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "l.json").write_text('[{"path": "a.mp4", "label": "walk", ' + value + "}]")
    with pytest.raises(DataError, match=rf"l\.json\[0\]: .*{complaint}"):
        read_samples(tmp_path / "l.json")


def test_a_json_without_end_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "l.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"l\.json: cannot be read as JSON"):
        read_samples(tmp_path / "l.json")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_spreadsheets_write_is_read(delimiter: str, encoding: str, tmp_path: Path) -> None:
    rows = [("path", "label", "group"), ("a.mp4", "übergeben", "1"), ("b.mp4", '"fall, on"', "2")]
    text = "\r\n".join(delimiter.join(row) for row in rows)
    (tmp_path / "l.csv").write_bytes(text.encode(encoding))
    samples = read_samples(tmp_path / "l.csv")
    assert [(one.labels[0], one.group) for one in samples] == [
        ("übergeben", "1"),
        ("fall, on", "2"),
    ]


def test_empty_cells_at_the_end_of_a_line_are_nothing(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("path,label\na.mp4,walk,,\nb.mp4,walk\n,,\n")
    assert len(read_samples(tmp_path / "l.csv")) == 2
