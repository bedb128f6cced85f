"""The file of `replay --table`: whole, private, and also there after an interruption."""

from __future__ import annotations

import csv
import stat
from pathlib import Path

import pytest

from pipeline.errors import ConfigError, PipelineError
from pipeline.outputs import table
from pipeline.outputs.table import TableSink, check_table_path
from tests.pipeline.decided_items import make_alarm_event, make_end, make_event, make_item


def names(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row["name"] for row in csv.DictReader(file)]


def test_actions_and_alarms_of_all_items_are_rows(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.CSV"
    with TableSink(path) as sink:
        sink.write(make_item(events=[make_event(1), make_alarm_event(2)]))
        sink.write(make_end(events=[make_event(3, "end"), make_alarm_event(4, "end")]))
    assert names(path) == ["walking", "fight"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["rows.CSV"]


def test_an_interrupted_run_has_what_it_decided(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with pytest.raises(KeyboardInterrupt), TableSink(path) as sink:
        sink.write(make_item(events=[make_event(1)]))
        raise KeyboardInterrupt
    assert names(path) == ["walking"]


def test_closing_twice_writes_once(tmp_path: Path) -> None:
    sink = TableSink(tmp_path / "rows.csv")
    sink.close()
    (tmp_path / "rows.csv").unlink()
    sink.close()
    assert not (tmp_path / "rows.csv").exists()


def test_a_disk_that_is_full_is_named_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, mode: str) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    path = tmp_path / "rows.csv"
    sink = TableSink(path)
    monkeypatch.setattr(table, "open_private", full)
    with pytest.raises(PipelineError, match=r"cannot write .*rows.csv: No space left"):
        sink.close()
    assert [one.name for one in tmp_path.iterdir()] == ["rows.csv"]


def test_two_runs_do_not_write_one_table(tmp_path: Path) -> None:
    with TableSink(tmp_path / "rows.csv"), pytest.raises(PipelineError, match="is writing it"):
        TableSink(tmp_path / "rows.csv")


@pytest.mark.parametrize("name", ["rows", "rows.xls", "rows.csv.gz", "folder.csv"])
def test_another_format_is_refused_before_anything_runs(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ConfigError, match=r"--table .*: expected FILE\.csv, FILE\.parquet or"):
        check_table_path(tmp_path / name)
