from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.observations.file_names import files_in
from pipeline.observations.reader import (
    ObservationReader,
    ObservationSelection,
    find_files,
)
from pipeline.observations.recorded_run import NumberedItem
from pipeline.observations.retention import ObservationLimits
from pipeline.observations.writer import ObservationWriter
from pipeline.types import RecognizedFrame, StreamEnd
from tests.pipeline.observations.made_items import STARTED_AT, made_items, make_run


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Three cameras around a full hour, in a folder of a run's output."""
    limits = ObservationLimits(30.0, 1e9, 10**9)
    writer = ObservationWriter(tmp_path / "observations", make_run(), limits, tolerant=False)
    for one in made_items(frames=60):
        writer.add(one)
    writer.close()
    return tmp_path / "observations"


def read(
    kept: Path, selection: ObservationSelection, sources: list[str] | None = None
) -> list[NumberedItem]:
    reader = ObservationReader(find_files(sources or [str(kept)]), selection)
    assert not reader.errors
    return [one for each in reader.recordings for one in reader.items(each)]


def test_files_folders_and_patterns_are_found_once(kept: Path) -> None:
    count = len(list(files_in(kept)))
    assert count == 5  # two hours of two cameras, and one of the recording
    sources = [str(kept), str(kept.parent), str(kept / "*.parquet"), str(next(kept.iterdir()))]
    assert len(find_files(sources)) == count


def test_a_source_without_observations_is_named(kept: Path) -> None:
    (kept.parent / "empty").mkdir()
    for source, why in (("empty", "no observations in it"), ("absent", "no such file")):
        with pytest.raises(SourceError, match=f"{source}: {why}"):
            find_files([str(kept.parent / source)])


def test_cameras_are_selected_by_pattern(kept: Path) -> None:
    found = read(kept, ObservationSelection(cameras=("*[1y]*",)))
    assert {one.camera_id for one in found} == {"camera 1/é", "yard"}
    assert read(kept, ObservationSelection(cameras=("no",))) == []


def test_times_are_selected_to_the_frame_and_what_is_cut_ends(kept: Path) -> None:
    start_at, end_at = STARTED_AT + 1.0, STARTED_AT + 4.0
    found = read(
        kept, ObservationSelection(cameras=("camera 0*",), start_at=start_at, end_at=end_at)
    )
    frames = [one.item for one in found if isinstance(one.item, RecognizedFrame)]
    assert len(frames) == 30
    assert all(start_at <= one.tracked.frame.seen_at < end_at for one in frames)
    assert found[-1].item == StreamEnd("camera 0/é", "stopped")


def test_runs_are_selected_by_run_id_or_recording(kept: Path) -> None:
    assert read(kept, ObservationSelection(runs=("run",)))
    assert read(kept, ObservationSelection(runs=("20260921T125957Z-00000000",)))
    assert not read(kept, ObservationSelection(runs=("another",)))


def test_a_damaged_file_is_named_and_costs_itself_alone(
    kept: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, *_ = sorted(kept.iterdir())
    first.write_bytes(b"PAR1")
    reader = ObservationReader(find_files([str(kept)]), ObservationSelection())
    [recording] = reader.recordings
    assert len({one.camera_id for one in reader.items(recording)}) == 3
    assert len(reader.errors) == 1
    assert str(first) in caplog.text


def test_a_part_that_is_put_together_meanwhile_is_read_from_its_hour(tmp_path: Path) -> None:
    limits = ObservationLimits(30.0, 1e9, 10**9)
    writer = ObservationWriter(tmp_path, make_run(), limits, tolerant=True)
    items = made_items(1, 8)
    for one in items:
        writer.add(one)
        writer.flush()
    reader = ObservationReader(find_files([str(tmp_path)]), ObservationSelection())
    writer.close()
    [recording] = reader.recordings
    assert len(list(reader.items(recording))) == len(items) + 1
    assert not reader.errors


def test_the_progress_adds_up_to_the_size(kept: Path) -> None:
    sizes: list[int] = []
    reader = ObservationReader(find_files([str(kept)]), ObservationSelection())
    reader.done = sizes.append
    for each in reader.recordings:
        list(reader.items(each))
    assert sum(sizes) == reader.size > 0
