"""Labels in tables with named columns: CSV with a header, and JSON."""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from models.checkpoints.text_files import read_text
from pipeline.paths import expand_user
from training.labels.samples import (
    SPLITS,
    SUBJECTS,
    DataError,
    PersonBox,
    Sample,
    Split,
    SubjectKind,
    TrackFile,
)

# Every field of a row. Only path and label (or labels) are needed.
FIELDS = (
    "path",  # of the video, relative to the table
    "label",  # one, or several with | between them
    "labels",  # the same
    "start",  # seconds of the video
    "end",
    "box",  # four numbers x1,y1,x2,y2: pixels, a person who stays there
    "x1",  # the same in four columns
    "y1",
    "x2",
    "y2",
    "track",  # instead of a box: a MOTChallenge file, relative to the table
    "track_id",  # the person in it; without it the only one, or all members of a group
    "subject",  # person or group: who does it
    "split",  # train, val or test
    "group",  # recordings that belong together
    "kind",  # of everyday behaviour, for false alarms: hug, sport, dance, crowd
    "source",  # file and seconds that a piece of a recording put together is from
)
CORNERS = ("x1", "y1", "x2", "y2")
SHOWN_ERRORS = 10
# A box that ends within two pixels of the corner shows no person: it is in fractions of the frame.
LARGEST_FRACTION = 2.0

Row = Mapping[str, Any]
R = TypeVar("R")

log = logging.getLogger(__name__)


def read_csv(path: Path, folder: Path) -> list[Sample]:
    """Read a CSV file whose first line names its columns.

    Args:
        path: UTF-8, or UTF-16 with a byte order mark; commas, semicolons or tabs between columns.
        folder: of relative paths.

    Raises:
        DataError: naming every wrong line, up to ten.
    """
    text = read_label_text(path)
    header = next((line for line in text.splitlines() if line.strip()), "")
    options: dict[str, Any] = {"delimiter": delimiter_of(header), "strict": True}
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, **options)
    rows = lines_of(path, reader)
    fields = [name.strip().lower() for name in next(rows, ("", []))[1]]
    _check_fields(str(path), fields)

    def sample_of_cells(cells: list[str], origin: str) -> Sample:
        if len(cells) > len(fields) and any(cells[len(fields) :]):
            raise DataError(
                f"{len(cells)} cells for {len(fields)} columns; a text with a comma needs quotes, "
                f'as in "{", ".join(cells[1:3])}"'
            )
        return sample_of(dict(zip(fields, cells, strict=False)), origin, folder)

    return collect_samples(rows, sample_of_cells)


def lines_of(path: Path, reader: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield the cells of every line that has any, with file and line.

    Raises:
        DataError: if quotes do not close, or a cell is longer than any label.
    """
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DataError(
                f"{path}:{begins}: {error}; is a quote opened there and never closed?"
            ) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield f"{path}:{reader.line_num}", cells


def delimiter_of(header: str) -> str:
    """Return what stands between the columns: a comma, or a semicolon or tab of spreadsheets."""
    for delimiter in ",;\t":
        if "path" in {cell.strip(' "').lower() for cell in header.split(delimiter)}:
            return delimiter
    return ","


def read_label_text(path: Path) -> str:
    """Read a file of labels as text.

    Raises:
        DataError: naming the line that is not UTF-8.
    """
    try:
        return read_text(path)
    except (OSError, ValueError) as error:
        raise DataError(str(error)) from error


def read_json(path: Path, folder: Path) -> list[Sample]:
    """Read a JSON list of objects with the same fields.

    `labels` may be a list, `box` a list of four numbers.

    Raises:
        DataError: naming every wrong object, up to ten.
    """
    try:
        content = json.loads(read_label_text(path))
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise DataError(f'{path}: expected a list of objects: [{{"path": ..., "label": ...}}, ...]')
    _check_fields(str(path), sorted({key for row in content for key in row}))
    rows = ((f"{path}[{index}]", row) for index, row in enumerate(content))
    return collect_samples(rows, lambda row, origin: sample_of(row, origin, folder))


def collect_samples(
    rows: Iterable[tuple[str, R]], sample_of_row: Callable[[R, str], Sample]
) -> list[Sample]:
    """Turn rows into samples and report all wrong ones together."""
    samples: list[Sample] = []
    errors: list[str] = []
    for origin, row in rows:
        try:
            samples.append(sample_of_row(row, origin))
        except (DataError, ValueError) as error:
            errors.append(f"{origin}: {error}")
    if errors:
        more = len(errors) - SHOWN_ERRORS
        hidden = [f"... and {more} more lines"] if more > 0 else []
        raise DataError("\n".join(errors[:SHOWN_ERRORS] + hidden))
    return samples


def sample_of(row: Row, origin: str, folder: Path) -> Sample:
    """Convert one row of a table to a sample.

    Args:
        row: values by field name; "" and None are not given.
        origin: of the row.
        folder: of relative paths.

    Raises:
        DataError: if a value is missing or of another kind.
        ValueError: if values do not go together.
    """
    given = {key: value for key, value in row.items() if value not in (None, "")}
    path = given.get("path")
    if not isinstance(path, str):
        raise DataError("path: missing")
    return Sample(
        path=folder / expand_user(path.strip()),
        labels=_labels(given),
        start_s=_number(given, "start"),
        end_s=_number(given, "end"),
        box=_box(given, folder),
        group=_text(given, "group"),
        subject=_subject(given),
        split=_split(given),
        kind=_text(given, "kind"),
        source=_text(given, "source"),
        origin=origin,
    )


def _check_fields(name: str, fields: Sequence[str]) -> None:
    there = set(fields)
    twice = sorted(field for field in there if field and fields.count(field) > 1)
    if twice:
        raise DataError(f"{name}:1: the column {', '.join(twice)} stands there twice")
    if "path" not in there or not there & {"label", "labels"}:
        raise DataError(f"{name}: it needs path and label, and has {', '.join(sorted(there))}")
    unknown = sorted(there - set(FIELDS))
    if unknown:
        log.warning(
            "%s: nothing is made of the columns %s (known: %s)",
            name,
            ", ".join(unknown),
            ", ".join(FIELDS),
        )


def _labels(given: Row) -> tuple[str, ...]:
    value = given.get("labels", given.get("label"))
    if value is None:
        raise DataError("label: missing")
    parts = value if isinstance(value, list) else str(value).split("|")
    if not all(isinstance(part, str | int | float) for part in parts):
        raise DataError(f"label: expected a name or a list of names, got {value!r}")
    return tuple(str(part).strip() for part in parts)


def _text(given: Row, key: str) -> str | None:
    return str(given[key]).strip() if key in given else None


def _number(given: Row, key: str) -> float | None:
    if key not in given:
        return None
    try:
        number = float(given[key])
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or isinstance(given[key], bool):
        raise DataError(f"{key}: expected a number, got {given[key]!r}")
    return number


def _box(given: Row, folder: Path) -> PersonBox | TrackFile | None:
    corners = [key for key in CORNERS if key in given]
    ways = [bool(corners), "box" in given, "track" in given]
    if sum(ways) > 1:
        raise DataError("give a box or a track, not both")
    if "track" in given:
        person = _number(given, "track_id")
        return TrackFile(
            folder / expand_user(str(given["track"])), None if person is None else int(person)
        )
    if "box" in given:
        value = given["box"]
        parts = value if isinstance(value, list) else re.split(r"[\s,;]+", str(value).strip())
        return _person_box([_number({"box": part}, "box") for part in parts])
    if corners:
        return _person_box([_number(given, key) for key in CORNERS])
    return None


def _person_box(values: list[float | None]) -> PersonBox:
    numbers = [value for value in values if value is not None]
    if len(numbers) != 4:
        raise DataError(f"box: expected four numbers x1,y1,x2,y2, got {len(numbers)}")
    x1, y1, x2, y2 = numbers
    if max(numbers) <= LARGEST_FRACTION:
        raise DataError(
            f"box: {x1:g},{y1:g},{x2:g},{y2:g} looks like fractions of the frame; it is pixels "
            "that are expected: multiply by the width and height of the video"
        )
    return PersonBox((x1, y1, x2, y2))


def _split(given: Row) -> Split | None:
    if "split" not in given:
        return None
    name = str(given["split"]).strip().lower()
    found = next((split for split in SPLITS if split == name), None)
    if found is None:
        raise DataError(f"split: expected one of {', '.join(SPLITS)}, got {given['split']!r}")
    return found


def _subject(given: Row) -> SubjectKind | None:
    if "subject" not in given:
        return None
    name = str(given["subject"]).strip().lower()
    found = next((subject for subject in SUBJECTS if subject == name), None)
    if found is None:
        raise DataError(f"subject: expected {' or '.join(SUBJECTS)}, got {given['subject']!r}")
    return found
