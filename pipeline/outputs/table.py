"""The sink of `replay --table`: a row per action and alarm, written when the run ends."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.outputs.interval_rows import IntervalTable
from pipeline.outputs.output_lock import lock_output
from pipeline.outputs.sinks import ClosingSink, writing
from pipeline.outputs.table_files import FORMATS, check_packages
from pipeline.printable import printable
from pipeline.runtime.private_files import open_private
from pipeline.types import DecidedEnd, DecidedFrame


class TableSink(ClosingSink):
    """Gathers rows, and writes them when it is closed, also after an interruption or an error.

    The file is written aside and renamed: it is whole or, if the process was killed, what it was.

    Args:
        path: its suffix is the format, see `check_table_path`; its folder is created.

    Raises:
        PipelineError: if the file cannot be created, or another run writes it.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._table = path, IntervalTable()
        self._is_open = True
        with writing(path):
            self._lock = lock_output(path)

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Gather the events of an item."""
        for event in item.events:
            self._table.add(event)

    def close(self) -> None:
        """Write the file; see `Sink.close`."""
        if not self._is_open:
            return
        self._is_open = False
        aside = self._path.with_name(f".{self._path.name}.part")
        try:
            with writing(self._path):
                content = FORMATS[self._path.suffix.lower()](self._table.rows())
                with open_private(aside, "wb") as file:
                    file.write(content)
                aside.replace(self._path)
        finally:
            aside.unlink(missing_ok=True)
            if self._lock is not None:
                self._lock.close()


def check_table_path(path: Path) -> None:
    """Check the format of a table before anything is computed.

    Raises:
        ConfigError: if the suffix is none of .csv, .parquet and .xlsx, or a folder has this name.
        ModuleNotFoundError: if the package of the format is not installed.
    """
    if path.suffix.lower() not in FORMATS or path.is_dir():
        raise ConfigError(
            f"--table {printable(str(path))}: expected FILE.csv, FILE.parquet or FILE.xlsx"
        )
    check_packages(path.suffix.lower())
