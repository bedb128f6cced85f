from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.observations.columns import FileHeader, Rows, encode_rows
from pipeline.observations.items import read_header, read_items
from pipeline.observations.recorded_run import NumberedItem, ObservationFormatError, RecordedRun
from pipeline.types import Prediction, StreamEnd, Subject
from tests.pipeline.observations.made_items import (
    CAMERAS,
    comparable,
    made_items,
    make_recognized,
    make_run,
)


def write(path: Path, items: list[NumberedItem], camera_id: str = "gate") -> Path:
    rows = Rows([])
    for one in items:
        rows.add(one)
    header = FileHeader(make_run(), camera_id, tuple(rows.label_sets))
    path.write_bytes(encode_rows(header, rows))
    return path


def read(path: Path) -> list[NumberedItem]:
    return list(read_items(path, read_header(path)))


def test_what_is_read_is_bit_by_bit_what_was_written(tmp_path: Path) -> None:
    for camera_id in CAMERAS:
        items = [one for one in made_items() if one.camera_id == camera_id]
        found = read(write(tmp_path / "a.parquet", items, camera_id))
        assert list(map(comparable, found)) == list(map(comparable, items))


def test_a_score_that_no_float64_text_would_keep_is_kept(tmp_path: Path) -> None:
    scores = np.array([np.nextafter(np.float32(0.6), np.float32(1)), 1e-45], np.float32)
    one = Prediction(Subject.person(1), np.full(4, 0.1, np.float32), scores, None, 0)
    items = [NumberedItem(4, make_recognized(predictions=(one,)))]
    [found] = read(write(tmp_path / "a.parquet", items))
    assert comparable(found) == comparable(items[0])
    assert found.item.predictions[0].labels is None  # type: ignore[union-attr]


def test_neither_pixels_nor_features_nor_texts_of_errors_are_in_the_file(tmp_path: Path) -> None:
    end = StreamEnd("gate", "unauthorized", "rtsp://viewer:secret@10.0.0.9 refused", 1.0)
    path = write(tmp_path / "a.parquet", [NumberedItem(0, end)])
    assert b"secret" not in path.read_bytes()
    columns = set(pl.read_parquet(path).columns)
    assert not {"image", "feature", "key_points", "error"} & columns


def test_the_header_has_the_run_and_the_camera(tmp_path: Path) -> None:
    header = read_header(write(tmp_path / "a.parquet", made_items(1), "camera 0/é"))
    assert (header.run, header.camera_id) == (make_run(), "camera 0/é")


def test_what_is_no_file_of_observations_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"x": [1]}).write_parquet(path)
    with pytest.raises(ObservationFormatError, match="no observations"):
        read_header(path)
    path.write_bytes(b"PAR1 but not really")
    with pytest.raises(ObservationFormatError, match="no Parquet file, or damaged"):
        read_header(path)


def test_a_damaged_file_is_an_error_and_not_half_a_run(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", made_items(1))
    content = bytearray(path.read_bytes())
    content[100:400] = bytes(300)
    path.write_bytes(content)
    with pytest.raises(ObservationFormatError, match="damaged"):
        read(path)


def test_the_file_of_another_version_says_so() -> None:
    text = make_run().to_json()
    assert RecordedRun.from_json(text) == make_run()
    with pytest.raises(ObservationFormatError, match="format"):
        RecordedRun.from_json(text.replace('"format":1', '"format":2'))
    with pytest.raises(ObservationFormatError, match="fresh_s"):
        RecordedRun.from_json(text.replace('"fresh_s":1.0', '"fresh_s":"x"'))
