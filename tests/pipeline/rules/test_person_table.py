"""Records of many people: new, gone, and never those of another person."""

from __future__ import annotations

import numpy as np

from pipeline.rules.person_table import PersonTable


def test_a_new_person_has_a_blank_record_even_in_the_place_of_another() -> None:
    table = PersonTable(np.array([(7, (1, 2))], [("age", np.int64), ("pair", np.int64, 2)]))
    for track_id in range(30):
        (row,) = table.rows_of([track_id])
        assert table.records[row]["age"] == 7
        table.records["age"][row] = track_id
        if track_id >= 5:
            record = table.pop(track_id - 5)
            assert record is not None
            assert record["age"] == track_id - 5
    assert len(table.records) <= 16
    rows = table.rows_of([29, 31, 27])
    assert table.records["age"][rows].tolist() == [29, 7, 27]
    assert table.records["pair"][rows].tolist() == [[1, 2]] * 3


def test_a_person_who_is_not_known_has_no_record() -> None:
    table = PersonTable(np.zeros(1, [("age", np.int64)]))
    assert table.pop(1) is None
    table.rows_of([1])
    table.clear()
    assert table.pop(1) is None
    assert table.rows_of([]) == []
