"""Tables of actions and alarms as CSV, Parquet or Excel files.

In CSV and Excel a text is never a formula: names of cameras and rules come from outside, and a
spreadsheet executes what begins with `=`, `+`, `-` or `@`.
"""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module

from pipeline.outputs.interval_rows import IntervalRow
from pipeline.printable import printable

Cell = str | float | datetime | None

COLUMNS = (
    "camera",
    "people",
    "kind",
    "name",
    "begin",
    "end",
    "begin_s",
    "end_s",
    "duration_s",
    "peak",
    "zone",
    "severity",
    "reason",
    "end_reason",
    "evidence",
    "id",
)
_MAX_SHEET_ROWS = 1_048_575  # below the header; what Excel can open
_WIDTHS = {"camera": 16, "name": 16, "begin": 26, "end": 26, "reason": 48, "evidence": 40, "id": 40}
# Where a formula may begin: in a cell, and behind what separates cells in other countries, as a
# semicolon. Full-width forms too: spreadsheets of East Asian locales read them as the others.
_FORMULA = re.compile("(^|[;,|])(\\s*)(?=[=+@\uff1d\uff0b\uff0d\uff20-])")
_NO_DATE = datetime(2000, 1, 1)  # of the workbook: the same rows are the same bytes

log = logging.getLogger(__name__)


def to_csv(rows: Sequence[IntervalRow]) -> bytes:
    """Encode rows as CSV in UTF-8, with a mark without which Excel assumes another encoding."""
    text = io.StringIO()
    table = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    table.writerow(COLUMNS)
    for row in rows:
        table.writerow([_plain(cell) for cell in _cells(row)])
    return text.getvalue().encode("utf-8-sig")


def to_xlsx(rows: Sequence[IntervalRow]) -> bytes:
    """Encode rows as an Excel workbook with one sheet, its texts as text."""
    import xlsxwriter

    if len(rows) > _MAX_SHEET_ROWS:
        log.error(
            "a sheet of Excel has %d rows; %d are not in it: write .csv or .parquet",
            _MAX_SHEET_ROWS,
            len(rows) - _MAX_SHEET_ROWS,
        )
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    book.set_properties({"created": _NO_DATE})
    sheet, bold = book.add_worksheet("events"), book.add_format({"bold": True})
    for column, name in enumerate(COLUMNS):
        sheet.write_string(0, column, name, bold)
        sheet.set_column(column, column, _WIDTHS.get(name, 11))
    shown = rows[:_MAX_SHEET_ROWS]
    for number, row in enumerate(shown, start=1):
        for column, cell in enumerate(_cells(row)):
            if isinstance(cell, float):
                sheet.write_number(number, column, cell)
            elif text := _text(cell):
                sheet.write_string(number, column, text)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(shown), len(COLUMNS) - 1)
    book.close()
    return content.getvalue()


def to_parquet(rows: Sequence[IntervalRow]) -> bytes:
    """Encode rows as Parquet, times as timestamps in UTC; texts are as they were."""
    import polars

    kinds = dict.fromkeys(COLUMNS, polars.String) | dict.fromkeys(
        ("begin_s", "end_s", "duration_s", "peak"), polars.Float64
    )
    times = dict.fromkeys(("begin", "end"), polars.Datetime("ms", "UTC"))
    columns = list(zip(*map(_cells, rows), strict=True)) or [()] * len(COLUMNS)
    frame = polars.DataFrame(dict(zip(COLUMNS, columns, strict=True)), schema={**kinds, **times})
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


FORMATS: dict[str, Callable[[Sequence[IntervalRow]], bytes]] = {
    ".csv": to_csv,
    ".parquet": to_parquet,
    ".xlsx": to_xlsx,
}


def check_packages(suffix: str) -> None:
    """Import what a format needs, before anything is computed.

    Raises:
        ModuleNotFoundError: if it is not installed.
    """
    package = {".xlsx": "xlsxwriter", ".parquet": "polars"}.get(suffix)
    if package is not None:
        import_module(package)


def _cells(row: IntervalRow) -> tuple[Cell, ...]:
    """Return the values of a row in the order of the columns."""
    return (
        row.camera,
        " ".join(map(str, sorted(row.people))),
        row.kind,
        row.name,
        _in_utc(row.begin),
        _in_utc(row.end),
        float(row.begin_s),
        float(row.end_s),
        float(row.duration_s),
        None if row.peak is None else float(row.peak),
        row.zone,
        row.severity,
        row.reason,
        row.end_reason,
        " ".join(row.evidence),
        row.id,
    )


def _in_utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)


def _text(cell: str | datetime | None) -> str:
    """Return a text without control characters; of a time, ISO 8601 with its offset."""
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="milliseconds")
    return printable(cell or "")


def _plain(cell: Cell) -> str | float:
    """Return a cell that no spreadsheet executes: what would be a formula begins with a quote."""
    return cell if isinstance(cell, float) else _FORMULA.sub(r"\1\2'", _text(cell))
