"""Boxes with identities in MOTChallenge's text files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.labels.mot_files import read_mot, read_mot_rows

TEXT = "2,7,10,20,30,40,1,-1,-1,-1\n\n1,7,11,20,30,40,0\n2,3,50,20,10,10,0.5\n"


def test_boxes_come_by_frame_with_what_is_to_be_ignored(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text(TEXT)
    people = read_mot(tmp_path / "gt.txt")
    assert sorted(people) == [1, 2]
    assert people[2].ids.tolist() == [7, 3]
    np.testing.assert_array_equal(people[2].xyxy, [[10, 20, 40, 60], [50, 20, 60, 30]])
    assert people[1].counts.tolist() == [False]
    assert people[2][people[2].ids == 3].xyxy.shape == (1, 4)


def test_rows_keep_the_order_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text(TEXT)
    assert read_mot_rows(tmp_path / "gt.txt")[:, 0].tolist() == [2, 1, 2]


@pytest.mark.parametrize("line", ["1,2,3", "0,7,1,1,1,1,1", "1,7,nan,1,1,1,1", "1,a,1,1,1,1,1"])
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "gt.txt").write_text(f"1,7,10,20,30,40,1\n{line}\n")
    with pytest.raises(ValueError, match=r"gt\.txt, line 2: .*frame, id, left, top"):
        read_mot_rows(tmp_path / "gt.txt")
