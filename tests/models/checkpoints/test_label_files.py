"""Label files beside the weights name the classes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models import CheckpointError, load_recognizer
from models.checkpoints.label_files import read_label_numbers, read_labels
from tests.models.published_files import (
    MMACTION2,
    save,
    small_network,
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.labels.txt", "run\nwalk\n\nsit\nstand\nfall\n"),
        ("labels.txt", "0: run\n1: walk\n2: sit\n3: stand\n4: fall"),
        ("a.labels.txt", "1: run\n2: walk\n3: sit\n4: stand\n5: fall"),
        ("a.labels.json", '["run", "walk", "sit", "stand", "fall"]'),
        ("labels.json", '{"\\"walk\\"": 1, "run": 0, "sit": 2, "stand": 3, "fall": 4}'),
        ("labels.json", '{"0": "run", "1": "walk", "2": "sit", "3": "stand", "4": "fall"}'),
        ("labels.txt", "1 run\n2 walk\n3 sit\n4 stand\n5 fall\n"),
        ("labels.yaml", "names:\n  0: run\n  1: walk\n  2: sit\n  3: stand\n  4: fall\n"),
    ],
)
def test_a_file_beside_it_names_the_classes(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    path = save(small_network(), MMACTION2, tmp_path / "a.pth")
    assert load_recognizer(path).input_spec.labels == ("run", "walk", "sit", "stand", "fall")


def test_classes_without_names_are_numbered_and_that_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "labels.txt").write_text("1: run\n3: sit\n4: fall")
    path = save(small_network(), MMACTION2, tmp_path / "a.pth")
    labels = load_recognizer(path).input_spec.labels
    assert labels == ("class_0", "run", "class_2", "sit", "fall")
    (tmp_path / "labels.txt").unlink()
    assert load_recognizer(path).input_spec.labels[0] == "class_0"
    assert "a.labels.txt beside it names them" in caplog.text


@pytest.mark.parametrize("content", ["run\nwalk\n", "9: run\n"])
def test_labels_of_another_network_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text(content)
    with pytest.raises(CheckpointError, match=r"labels\.txt: .*for a network of 5 classes"):
        load_recognizer(save(small_network(), MMACTION2, tmp_path / "a.pth"))


def test_labels_beside_are_json_or_text(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps("run"))
    with pytest.raises(CheckpointError, match=r"labels\.json: cannot be read as labels"):
        load_recognizer(save(small_network(), MMACTION2, tmp_path / "a.pth"))


ACTIONS = ("run", "walk", "sit down")
FROM_0, FROM_1 = dict(enumerate(ACTIONS)), dict(enumerate(ACTIONS, 1))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "1 run\n2 walk\n3 sit down\n", FROM_1),
        ("a.txt", "0 run\n1 walk\n2 sit down\n", FROM_0),
        ("a.txt", "1\trun\n2\twalk\n3\tsit down\n", FROM_1),
        ("a.txt", "1 run\r\n2 walk\r\n3 sit down\r\n", FROM_1),
        ("a.txt", "0: run\n1: walk\n2: sit down", FROM_0),
        ("a.txt", "0, run\n1, walk\n2, sit down", FROM_0),
        ("a.txt", "0;run\n1;walk\n2;sit down", FROM_0),
        ("a.csv", "id,name\n0,run\n1,walk\n2,sit down\n", FROM_0),
        ("a.txt", "run 0\nwalk 1\nsit down 2\n", FROM_0),
        ("a.txt", "run,1\nwalk,2\nsit down,3\n", FROM_1),
        ("a.txt", "3 sit down\n1 run\n2 walk\n", FROM_1),
        ("a.txt", "run\nwalk\nsit down\n", FROM_0),
        ("a.json", '["run", "walk", "sit down"]', FROM_0),
        ("a.json", '{"run": "0", "walk": "1", "sit down": "2"}', FROM_0),
        ("a.json", '{"1": "run", "2": "walk", "3": "sit down"}', FROM_1),
        ("a.yaml", "- run\n- walk\n- sit down\n", FROM_0),
        ("a.yml", "1: run\n2: walk\n3: sit down\n", FROM_1),
        ("a.yaml", "run: 0\nwalk: 1\nsit down: 2\n", FROM_0),
        ("a.yaml", "nc: 3\nnames: [run, walk, sit down]\n", FROM_0),
    ],
)
def test_labels_are_numbered_in_their_usual_forms(
    name: str, content: str, expected: dict[int, str], tmp_path: Path
) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / name).write_bytes(content.encode(encoding))
        assert read_label_numbers(tmp_path / name) == expected, encoding
    assert read_labels(tmp_path / name, 3) == ACTIONS


def test_words_of_yaml_that_mean_something_else_are_names(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("0: no\n1: on\n2: 007\n3: ~\n")
    assert read_labels(tmp_path / "a.yaml", 4) == ("no", "on", "007", "~")


def test_names_with_numbers_in_them_are_names(tmp_path: Path) -> None:
    for names in (["level 0", "level 1"], ["10 pins", "walk", "run"], ["take 2", "take 3"]):
        (tmp_path / "a.txt").write_text("\n".join(names))
        assert read_labels(tmp_path / "a.txt", len(names)) == tuple(names)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "1: run\n1: walk\n", "line 2: the number 1 stands there twice"),
        ("a.txt", "1: run\n2: run\n", "the label 'run' stands there twice"),
        ("a.txt", "1 run\n2 walk\nsit\n", "line 3: 'sit' has no number"),
        ("a.txt", "2 people\n3 people meet\n", "write `N: label`"),
        ("a.json", '{"run": 0, "walk": 0}', "the number 0 stands there twice"),
        ("a.json", '{"0": "run", "0": "walk"}', "the number 0 stands there twice"),
        ("a.json", '{"run": 0.5}', "a mapping of names to numbers"),
        ("a.json", '[["run"], ["walk"]]', "a list of names is expected"),
        ("a.json", "[" * 100_000, "cannot be read as labels"),
        ("a.yaml", "0: run\n0: walk\n", "the number 0 stands there twice"),
        ("a.yaml", "a: [b\n", "cannot be read as labels"),
        ("a.txt", "run\nw\xe4lk\n", r"a\.txt:2: is not UTF-8 \(byte 0xe4\); save the file as"),
    ],
)
def test_labels_that_mean_nothing_certain_are_errors(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        read_label_numbers(tmp_path / name)


def test_numbers_that_do_not_show_their_start_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1: run\n3: sit\n")
    with pytest.raises(ValueError, match="do not show whether they are numbered from 0 or from 1"):
        read_labels(tmp_path / "a.txt", 5)
    assert read_labels(tmp_path / "a.txt", 4) == ("class_0", "run", "class_2", "sit")
    assert read_labels(tmp_path / "a.txt", 3) == ("run", "class_1", "sit")


def test_names_that_are_given_twice_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text("names: {0: walk}\nnc: 1\nnames: {0: run}\n")
    with pytest.raises(ValueError, match="names is given twice, in lines 1 and 3"):
        read_labels(path, 1)
