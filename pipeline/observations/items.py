"""Read observations again: from columns to the items that the decision stage got."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TypeVar, cast, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.boxes import FloatArray
from pipeline.events import DownReason
from pipeline.observations.columns import (
    CAMERA_KEY,
    CORNERS,
    KINDS,
    LABELS_KEY,
    RUN_KEY,
    SCHEMA,
    FileHeader,
    Kind,
)
from pipeline.observations.recorded_run import NumberedItem, ObservationFormatError, RecordedRun
from pipeline.types import (
    Frame,
    Image,
    Prediction,
    RecognizedFrame,
    StreamEnd,
    Subject,
    SubjectKind,
    TrackedFrame,
    TrackedGroup,
    TrackedPerson,
)

T = TypeVar("T")
CODES = {kind: code for code, kind in enumerate(KINDS)}
_FRAME_COLUMNS = (
    "item",
    "pts_s",
    "frame_index",
    "captured_at",
    "recorded_at",
    "width",
    "height",
    "unscored",
    "reason",
    "at",
)


def read_header(path: Path) -> FileHeader:
    """Read what a file says of its rows.

    Raises:
        ObservationFormatError: if it holds no observations, or is damaged.
        OSError: if it cannot be read.
    """
    try:
        metadata = pl.read_parquet_metadata(path)
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise ObservationFormatError("it is no Parquet file, or damaged") from error
    if RUN_KEY not in metadata:
        raise ObservationFormatError("it holds no observations")
    try:
        label_sets = tuple(tuple(map(str, one)) for one in json.loads(metadata[LABELS_KEY]))
        return FileHeader(
            RecordedRun.from_json(metadata[RUN_KEY]), metadata[CAMERA_KEY], label_sets
        )
    except (KeyError, TypeError, json.JSONDecodeError):
        raise ObservationFormatError("its description is incomplete") from None


def read_items(path: Path, header: FileHeader) -> Iterator[NumberedItem]:
    """Read the items of a file in order.

    Times that no decision depends on, when each stage was done, are those of the capture.

    Args:
        path: of the file.
        header: of `read_header`.

    Raises:
        ObservationFormatError: if the file is damaged.
        OSError: if it cannot be read.
    """
    try:
        table = pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise ObservationFormatError("it is damaged") from error
    if dict(table.schema) != SCHEMA:
        raise ObservationFormatError("its columns are not those of observations")
    return _items(table, header)


def _items(table: pl.DataFrame, header: FileHeader) -> Iterator[NumberedItem]:
    rows = _ItemRows(table)
    persons = rows.grouped("person", make=_persons)
    groups = rows.grouped("group", make=_groups)
    ended = rows.grouped("ended_track", make=_ids)
    ended_groups = rows.grouped("ended_group", make=_ids)
    predictions = rows.grouped(
        "person_scores", "group_scores", make=lambda part: _predictions(part, header.label_sets)
    )
    firsts = table[rows.firsts]
    ends = firsts["kind"].eq("end").to_list()
    columns = [firsts[name].to_list() for name in _FRAME_COLUMNS]
    for n, values in enumerate(zip(ends, *columns, strict=True)):
        is_end, number, pts_s, index, captured_at, recorded_at, width, height, unscored, *end = (
            values
        )
        if is_end:
            yield NumberedItem(number, _stream_end(header.camera_id, *end))
            continue
        image = _blank(width, height)
        frame = Frame(header.camera_id, index, pts_s, captured_at, image, captured_at, recorded_at)
        tracked = TrackedFrame(
            frame,
            persons.get(n, ()),
            ended.get(n, ()),
            captured_at,
            captured_at,
            groups.get(n, ()),
            ended_groups.get(n, ()),
        )
        scored = predictions.get(n, ())
        item = RecognizedFrame(tracked, scored, captured_at, captured_at, unscored)
        yield NumberedItem(number, item)


class _ItemRows:
    """Where the items of a table begin, and the rows of a kind by item."""

    def __init__(self, table: pl.DataFrame) -> None:
        self._table, self._codes = table, table["kind"].to_physical().to_numpy()
        is_first = np.isin(self._codes, [CODES["frame"], CODES["end"]])
        self.firsts: NDArray[np.intp] = np.flatnonzero(is_first)

    def grouped(
        self, *kinds: Kind, make: Callable[[pl.DataFrame], list[T]]
    ) -> dict[int, tuple[T, ...]]:
        """Make a value of each row of some kinds, and collect them by the item's position."""
        rows = np.flatnonzero(np.isin(self._codes, [CODES[kind] for kind in kinds]))
        if not len(rows):
            return {}
        values = make(self._table[rows])
        items = np.searchsorted(self.firsts, rows, side="right") - 1
        positions, starts = np.unique(items, return_index=True)
        borders = [*starts.tolist(), len(values)]
        return {
            position: tuple(values[start:end])
            for position, start, end in zip(
                positions.tolist(), borders[:-1], borders[1:], strict=True
            )
        }


def _persons(rows: pl.DataFrame) -> list[TrackedPerson]:
    ids = rows["id"].to_list(), _id_tuples(rows["track_ids"])
    columns = *ids, _boxes(rows), rows["confidence"].to_list()
    return [
        TrackedPerson(track_id, xyxy, confidence, None, track_ids)
        for track_id, track_ids, xyxy, confidence in zip(*columns, strict=True)
    ]


def _groups(rows: pl.DataFrame) -> list[TrackedGroup]:
    columns = rows["id"].to_list(), _id_tuples(rows["members"]), _boxes(rows)
    return [TrackedGroup(*values) for values in zip(*columns, strict=True)]


def _ids(rows: pl.DataFrame) -> list[int]:
    return rows["id"].to_list()


def _predictions(rows: pl.DataFrame, label_sets: Sequence[tuple[str, ...]]) -> list[Prediction]:
    group = CODES["group_scores"]
    kinds: list[SubjectKind] = [
        "group" if code == group else "person" for code in rows["kind"].to_physical().to_list()
    ]
    subjects = map(Subject, kinds, rows["id"].to_list(), _id_tuples(rows["members"]))
    labels = [None if n is None else label_sets[n] for n in rows["label_set"].to_list()]
    scores = rows["scores"].explode(empty_as_null=False, keep_nulls=False).to_numpy()
    borders = np.cumsum([0, *rows["scores"].list.len().to_list()]).tolist()
    each = [scores[start:end] for start, end in pairwise(borders)]
    columns = subjects, _boxes(rows), each, labels, rows["recognizer"].to_list()
    return [Prediction(*values) for values in zip(*columns, strict=True)]


def _id_tuples(column: pl.Series) -> list[tuple[int, ...]]:
    if column.null_count() == len(column):  # most files, of most columns
        return [()] * len(column)
    return [tuple(one or ()) for one in column.to_list()]


def _boxes(rows: pl.DataFrame) -> list[FloatArray]:
    return list(np.stack([rows[name].to_numpy() for name in CORNERS], axis=1))


def _stream_end(camera_id: str, reason: str, at: float | None) -> StreamEnd:
    if reason not in get_args(DownReason):
        raise ObservationFormatError(f"{reason!r} is no reason for the end of a camera")
    return StreamEnd(camera_id, cast(DownReason, reason), None, at)


@cache
def _blank(width: int, height: int) -> Image:
    """Return an image of this size that occupies no memory, as `drop_pixels` makes them."""
    return np.broadcast_to(np.uint8(0), (height, width, 3))
