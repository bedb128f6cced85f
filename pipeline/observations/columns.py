"""Observations as columns: a row per frame, person, group, prediction and end.

The rows of an item follow each other and share its number; the first one is its frame or its end.
A column that says nothing of a row's kind is null there. Everything that a decision can depend on
is kept exactly.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import polars as pl

from models.boxes import FloatArray
from pipeline.observations.recorded_run import NumberedItem, ObservationFormatError, RecordedRun
from pipeline.types import Prediction, RecognizedFrame, StreamEnd

Kind = Literal[
    "frame",
    "person",
    "ended_track",
    "group",
    "ended_group",
    "person_scores",
    "group_scores",
    "end",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
_IDS = pl.List(pl.Int64)
SCHEMA: dict[str, Any] = {
    "item": pl.Int64,
    "kind": pl.Enum(KINDS),
    # of a frame
    "pts_s": pl.Float64,
    "frame_index": pl.Int64,
    "captured_at": pl.Float64,  # Unix seconds
    "recorded_at": pl.Float64,  # Unix seconds
    "width": pl.Int32,  # pixels
    "height": pl.Int32,
    "unscored": pl.Int32,
    # of a person, a group, an ended track or group, a prediction
    "id": pl.Int64,
    "track_ids": _IDS,  # null: the id alone
    "members": _IDS,
    "x1": pl.Float32,  # pixels
    "y1": pl.Float32,
    "x2": pl.Float32,
    "y2": pl.Float32,
    "confidence": pl.Float64,
    # of a prediction
    "recognizer": pl.Int32,
    "label_set": pl.Int32,  # index in the file's label sets; null: all labels of the run
    "scores": pl.List(pl.Float32),
    # of an end
    "reason": pl.String,
    "at": pl.Float64,  # Unix seconds
}
CORNERS = ("x1", "y1", "x2", "y2")
# Of the metadata of a file.
RUN_KEY, CAMERA_KEY = "behaviour_stream.run", "behaviour_stream.camera"
LABELS_KEY = "behaviour_stream.label_sets"
_COMPRESSION_LEVEL = 6  # of zstd: a twentieth smaller than its default, at a tenth more time

LabelSets = list[tuple[str, ...]]


@dataclass(slots=True)
class Rows:
    """Rows of one camera that are not written yet."""

    label_sets: LabelSets  # of the predictions of the run so far; grows
    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in SCHEMA})

    def __len__(self) -> int:
        return len(self.columns["item"])

    @property
    def first_item(self) -> int:
        """The number of the first item."""
        number: int = self.columns["item"][0]
        return number

    def add(self, one: NumberedItem) -> None:
        """Append the rows of an item."""
        if isinstance(one.item, StreamEnd):
            self._add(one.number, "end", reason=one.item.reason, at=one.item.at)
        else:
            self._add_frame(one.number, one.item)

    def _add_frame(self, number: int, item: RecognizedFrame) -> None:
        frame = item.tracked.frame
        width, height = frame.wh
        self._add(
            number,
            "frame",
            pts_s=frame.pts_s,
            frame_index=frame.index,
            captured_at=frame.captured_at,
            recorded_at=frame.recorded_at,
            width=width,
            height=height,
            unscored=item.unscored,
        )
        for person in item.tracked.people:
            self._add(
                number,
                "person",
                id=person.track_id,
                track_ids=person.track_ids or None,
                confidence=person.confidence,
                **_corners(person.xyxy),
            )
        for group in item.tracked.groups:
            corners = _corners(group.xyxy)
            self._add(number, "group", id=group.group_id, members=group.members, **corners)
        for track_id in item.tracked.ended:
            self._add(number, "ended_track", id=track_id)
        for group_id in item.tracked.ended_groups:
            self._add(number, "ended_group", id=group_id)
        for prediction in item.predictions:
            self._add_prediction(number, prediction)

    def _add_prediction(self, number: int, prediction: Prediction) -> None:
        subject = prediction.subject
        self._add(
            number,
            "group_scores" if subject.kind == "group" else "person_scores",
            id=subject.id,
            members=subject.members or None,
            recognizer=prediction.recognizer,
            label_set=self._label_set(prediction.labels),
            scores=prediction.scores.tolist(),
            **_corners(prediction.xyxy),
        )

    def _label_set(self, labels: tuple[str, ...] | None) -> int | None:
        if labels is None:
            return None
        if labels not in self.label_sets:
            self.label_sets.append(labels)
        return self.label_sets.index(labels)

    def _add(self, number: int, kind: Kind, **values: Any) -> None:
        values |= {"item": number, "kind": kind}
        for name, column in self.columns.items():
            column.append(values.get(name))


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What a file says of its rows."""

    run: RecordedRun
    camera_id: str
    label_sets: tuple[tuple[str, ...], ...]


def encode_rows(header: FileHeader, rows: Rows, before: Sequence[bytes] = ()) -> bytes:
    """Return rows as a Parquet file.

    Args:
        header: whose label sets are those of all rows.
        rows: may be empty if there are some before.
        before: files whose rows come first.

    Raises:
        ObservationFormatError: if one of the files cannot be read.
    """
    tables = [*map(_table, before), pl.DataFrame(rows.columns, schema=SCHEMA)]
    file = io.BytesIO()
    pl.concat(tables).write_parquet(
        file,
        compression="zstd",
        compression_level=_COMPRESSION_LEVEL,
        metadata={
            RUN_KEY: header.run.to_json(),
            CAMERA_KEY: header.camera_id,
            LABELS_KEY: json.dumps(header.label_sets, ensure_ascii=False),
        },
    )
    return file.getvalue()


def _table(content: bytes) -> pl.DataFrame:
    try:
        return pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise ObservationFormatError("it is damaged") from error


def _corners(xyxy: FloatArray) -> dict[str, float]:
    return dict(zip(CORNERS, xyxy.tolist(), strict=True))
