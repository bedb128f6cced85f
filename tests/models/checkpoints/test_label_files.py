"""Label files beside the weights name the classes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models import CheckpointError, load_recognizer
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
    ],
)
def test_a_file_beside_it_names_the_classes(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    path = save(small_network(), MMACTION2, tmp_path / "a.pth")
    assert load_recognizer(path).input_spec.labels == ("run", "walk", "sit", "stand", "fall")


def test_classes_without_names_are_numbered_and_that_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "labels.txt").write_text("1: run\n3: sit")
    path = save(small_network(), MMACTION2, tmp_path / "a.pth")
    labels = load_recognizer(path).input_spec.labels
    assert labels == ("class_0", "run", "class_2", "sit", "class_4")
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
