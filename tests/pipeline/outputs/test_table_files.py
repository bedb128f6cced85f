"""Tables as spreadsheets and analysts read them: typed, and nothing in them is executed."""

from __future__ import annotations

import csv
import io
import logging
from datetime import UTC, datetime
from typing import Any

import openpyxl
import polars
import pytest

from pipeline.outputs import table_files
from pipeline.outputs.interval_rows import IntervalRow
from pipeline.outputs.table_files import COLUMNS, FORMATS, to_csv, to_parquet, to_xlsx

AT = datetime(2026, 11, 25, 11, 0, 0, 250_000, UTC)
FORMULAS = [
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    " =1",
    "\n=1",
    "\uff1d1",
    "{=1}",
    "a;=1",
    'a",=1',
]


def make_row(**changes: Any) -> IntervalRow:
    fields: dict[str, Any] = {
        "camera": "gate",
        "kind": "alarm",
        "name": "fight",
        "begin": AT,
        "begin_s": -1.5,
        "severity": "critical",
        "id": "run/gate/alarm-fight/1",
        "end": AT,
        "end_s": 2.0,
        "peak": 0.84,
        "people": {12, 7},
        "evidence": ["1.jpg", "1.mp4"],
    }
    return IntervalRow(**(fields | changes))


def read_csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def read_sheet(content: bytes) -> list[list[Any]]:
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def test_csv_has_typed_numbers_and_times_with_their_offset() -> None:
    [row] = read_csv(to_csv([make_row()]))
    assert list(row) == list(COLUMNS)
    assert (row["begin"], row["people"]) == ("2026-11-25T11:00:00.250+00:00", "7 12")
    assert (row["begin_s"], row["duration_s"], row["peak"]) == ("-1.5", "3.5", "0.84")
    assert row["evidence"] == "1.jpg 1.mp4"
    frame = polars.read_csv(to_csv([make_row()]))
    assert frame["duration_s"].to_list() == [3.5]
    assert frame["camera"].to_list() == ["gate"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_is_no_formula_in_any_cell_of_csv(text: str) -> None:
    content = to_csv([make_row(camera=text, name=text, zone=text, reason=text)])
    [row] = read_csv(content)
    for cell in row.values():
        assert not cell.lstrip().startswith(("=", "+", "@", "\t", "\r", "\uff1d"))
        assert not cell.startswith("-") or cell == "-1.5"  # our own number
    # Where a semicolon separates, all of a text is still in its quotes.
    [_, line] = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";")
    assert not [cell for cell in line if cell.startswith("=")]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_is_a_text_in_a_sheet(text: str) -> None:
    content = to_xlsx([make_row(camera=text, name=text)])
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    types = {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value is not None}
    assert types == {"s", "n"}


def test_a_sheet_has_numbers_as_numbers_and_no_link() -> None:
    content = to_xlsx([make_row(name="http://example.com", peak=None)])
    header, row = read_sheet(content)
    cells = dict(zip(header, row, strict=True))
    assert tuple(header) == COLUMNS
    assert (cells["begin_s"], cells["duration_s"], cells["peak"]) == (-1.5, 3.5, None)
    assert cells["begin"] == "2026-11-25T11:00:00.250+00:00"
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    assert not [cell for line in sheet.iter_rows() for cell in line if cell.hyperlink]


def test_parquet_has_times_and_numbers_and_texts_as_they_were() -> None:
    rows = [make_row(name="=1"), make_row(begin=None, end=None, peak=None)]
    frame = polars.read_parquet(to_parquet(rows))
    assert frame.columns == list(COLUMNS)
    assert frame["begin"].to_list() == [AT, None]
    assert frame["peak"].to_list() == [0.84, None]
    assert frame["name"][0] == "=1"


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_an_empty_table_has_its_columns_and_the_same_rows_are_the_same_bytes(suffix: str) -> None:
    assert len(FORMATS[suffix]([])) > 100
    assert FORMATS[suffix]([make_row()]) == FORMATS[suffix]([make_row()])


def test_what_a_sheet_cannot_hold_is_an_error_in_the_log_and_the_rest_is_there(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(table_files, "_MAX_SHEET_ROWS", 2)
    with caplog.at_level(logging.ERROR):
        assert len(read_sheet(to_xlsx([make_row()] * 3))) == 3
    assert "1 are not in it: write .csv or .parquet" in caplog.text


def test_control_characters_are_escaped() -> None:
    [row] = read_csv(to_csv([make_row(camera="a\x1b[2J\nb")]))
    assert row["camera"] == "a\\x1b[2J\\nb"
    assert read_sheet(to_xlsx([make_row(camera="a\x1b[2J")]))[1][0] == "a\\x1b[2J"
