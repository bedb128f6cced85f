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


UCF_NAMES = "1 ApplyEyeMakeup\n2 ApplyLipstick\n3 HandstandPushups\n"
UCF_TRAIN = (
    "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1\r\n"
    "ApplyLipstick/v_ApplyLipstick_g08_c02.avi 2\r\n"
    "HandstandPushups/v_HandStandPushups_g11_c01.avi 3\r\n"
)
UCF_TEST = (
    "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\r\n"
    "HandstandPushups/v_HandStandPushups_g01_c03.avi\r\n"
)


@pytest.mark.parametrize("number", ["01", "02", "03"])
def test_the_lists_of_ucf101_train_ucf101(number: str, tmp_path: Path) -> None:
    (tmp_path / "classInd.txt").write_text(UCF_NAMES)
    (tmp_path / f"trainlist{number}.txt").write_text(UCF_TRAIN)
    (tmp_path / f"testlist{number}.txt").write_text(UCF_TEST)
    videos = tmp_path / "UCF-101"
    train = read_samples(tmp_path / f"trainlist{number}.txt", videos=videos)
    test = read_samples(tmp_path / f"testlist{number}.txt", videos=videos)
    assert [(one.labels, one.group, one.split) for one in train] == [
        (("ApplyEyeMakeup",), "ApplyEyeMakeup_g08", "train"),
        (("ApplyLipstick",), "ApplyLipstick_g08", "train"),
        (("HandstandPushups",), "HandStandPushups_g11", "train"),
    ]
    assert [(one.labels, one.group, one.split) for one in test] == [
        (("ApplyEyeMakeup",), "ApplyEyeMakeup_g01", "test"),
        (("HandstandPushups",), "HandStandPushups_g01", "test"),
    ]
    assert train[0].path == videos / "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi"


def test_a_folder_per_class_of_ucf101_has_its_groups(tmp_path: Path) -> None:
    put(tmp_path, "Archery/v_Archery_g02_c01.avi", "Archery/own.avi")
    assert [one.group for one in read_samples(tmp_path)] == [None, "Archery_g02"]


def test_folders_name_the_numbers_where_no_file_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "trainlist01.txt").write_text(UCF_TRAIN)
    labels = [one.labels[0] for one in read_samples(tmp_path / "trainlist01.txt")]
    assert labels == ["ApplyEyeMakeup", "ApplyLipstick", "HandstandPushups"]
    assert "class_N" not in caplog.text
    (tmp_path / "mixed.txt").write_text("all/a.mp4 0\nall/b.mp4 1\n")
    labels = [one.labels[0] for one in read_samples(tmp_path / "mixed.txt")]
    assert labels == ["class_0", "class_1"]
    assert "class_N" in caplog.text


@pytest.mark.parametrize(
    ("names", "train"),
    [
        ("ApplyEyeMakeup\nApplyLipstick\nArchery\n", "ApplyEyeMakeup/a.avi 1\n"),
        ("0 ApplyEyeMakeup\n1 ApplyLipstick\n2 Archery\n", "ApplyEyeMakeup/a.avi 1\n"),
        ("1 ApplyEyeMakeup\n2 ApplyLipstick\n3 Archery\n", "ApplyLipstick/a.avi 1\n"),
        ("1 apply eye makeup\n2 apply lipstick\n", "ApplyLipstick/a.avi 1\n"),
    ],
)
def test_a_label_that_is_its_neighbours_is_an_error(names: str, train: str, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text(names)
    (tmp_path / "list.txt").write_text(train)
    with pytest.raises(DataError, match=r"list\.txt:1: label 1 is .*, but the video lies in Apply"):
        read_samples(tmp_path / "list.txt", label_file=tmp_path / "names.txt")


def test_a_list_that_may_count_from_one_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "labels.txt").write_text("hug\nwalk\nrun\n")
    (tmp_path / "list.txt").write_text("a.mp4 1\nb.mp4 2\n")
    read_samples(tmp_path / "list.txt")
    assert "no line has the number 0, which is hug" in caplog.text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a.mp4,1\nb.mp4,0\n", ["walk", "hug"]),
        ("a.mp4\t1\nb.mp4\t0\n", ["walk", "hug"]),
        ("dir with blank/a 1.mp4 1\n", ["walk"]),
        ("x/a.mp4, 1\n", ["walk"]),
    ],
)
def test_other_separators_are_read(content: str, expected: list[str], tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("hug\nwalk\n")
    (tmp_path / "list.txt").write_text(content)
    assert [one.labels[0] for one in read_samples(tmp_path / "list.txt")] == expected


@pytest.mark.parametrize(
    "line", ["some/v_A_g01_c01 120 5", "some/dir 1 120 5", "/data/abs dir 299 0"]
)
def test_lists_of_extracted_frames_are_refused_with_advice(line: str, tmp_path: Path) -> None:
    (tmp_path / "ucf101_train_split_1_rawframes.txt").write_text(f"{line}\n")
    with pytest.raises(DataError, match=r"rawframes\.txt:1: a line of extracted frames .*--format"):
        read_samples(tmp_path / "ucf101_train_split_1_rawframes.txt")


def test_the_split_files_of_hmdb51_are_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "clap_test_split1.txt").write_text("a_clap_u_nm_np1_fr_med_0.avi 1\n")
    with pytest.raises(DataError, match="numbers are parts"):
        read_samples(tmp_path / "clap_test_split1.txt")


def test_a_list_in_another_encoding_is_named_by_line(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes("a.mp4 0\nstraße.mp4 1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"list\.txt:2: is not UTF-8 .*save the file as UTF-8"):
        read_samples(tmp_path / "list.txt")


def test_times_of_ava_are_finite(tmp_path: Path) -> None:
    put(tmp_path, "film.mkv")
    (tmp_path / "ava.csv").write_text("film,nan,0.1,0.2,0.3,0.9,1,0\n")
    with pytest.raises(DataError, match=r"ava\.csv:1: time: expected seconds, got 'nan'"):
        read_samples(tmp_path / "ava.csv")


def test_a_cell_of_ava_without_end_is_named_by_line(tmp_path: Path) -> None:
    put(tmp_path, "film.mkv")
    row = f"film,2,0.1,0.2,0.3,0.9,1,{'x' * 200_000}\n"
    (tmp_path / "ava.csv").write_text("film,2,0.1,0.2,0.3,0.9,1,0\n" + row)
    with pytest.raises(DataError, match=r"ava\.csv:2: field larger"):
        read_samples(tmp_path / "ava.csv")


@pytest.mark.parametrize("lines_before", ["", "x/a.mp4\n"])
def test_a_number_without_end_is_named_by_line(lines_before: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{lines_before}x/b.mp4 {'9' * 5000}\n")
    line = 1 + lines_before.count("\n")
    with pytest.raises(DataError, match=rf"list\.txt:{line}: expected `path number`, got 'x/b"):
        read_samples(tmp_path / "list.txt")
