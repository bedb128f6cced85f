"""The threads that write evidence: bounded, and never a reason to wait for ever."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.evidence import writer as module
from pipeline.evidence.clip_process import ClipProcess, RecordedVideo
from pipeline.evidence.files import EvidenceFiles
from pipeline.evidence.health import EvidenceHealth
from pipeline.evidence.snapshot import EvidenceSnapshot
from pipeline.evidence.writer import ClipToWrite, EvidenceWriter, SnapshotToWrite
from pipeline.sources.file_decoder import DECODE_DEFAULTS


def snapshot(number: int) -> SnapshotToWrite:
    image = np.zeros((20, 20, 3), np.uint8)
    return SnapshotToWrite("gate", f"gate/{number}.jpg", EvidenceSnapshot(image, (), (), ""))


def make_writer(folder: Path, *, patient: bool) -> tuple[EvidenceWriter, EvidenceHealth]:
    health = EvidenceHealth()
    files = EvidenceFiles(folder, "run")
    return EvidenceWriter(files, health, ClipProcess(1.0), 1_000_000, patient=patient), health


def test_more_than_memory_allows_is_refused_at_once_and_reported(tmp_path: Path) -> None:
    writer, health = make_writer(tmp_path, patient=False)
    results = [writer.write_snapshot(snapshot(n)) for n in range(module.MOST_SNAPSHOTS + 2)]
    assert [one.done() for one in results] == [False] * module.MOST_SNAPSHOTS + [True] * 2
    assert health.missing == {"snapshot": 2}
    assert "too slow" in (health.error or "")
    writer.close()
    writer.run_snapshots()
    assert results[0].result() is not None
    assert results[-1].result() is None
    assert len(list(tmp_path.rglob("*.jpg"))) == module.MOST_SNAPSHOTS


def test_a_patient_writer_refuses_nothing(tmp_path: Path) -> None:
    writer, _ = make_writer(tmp_path, patient=True)
    results = [writer.write_snapshot(snapshot(n)) for n in range(20)]
    writer.close()
    writer.run_snapshots()
    assert all(one.result() is not None for one in results)


def test_a_snapshot_that_was_given_up_leaves_no_file(tmp_path: Path) -> None:
    writer, _ = make_writer(tmp_path, patient=True)
    result = writer.write_snapshot(snapshot(1))
    assert result.cancel()
    writer.close()
    writer.run_snapshots()
    assert not list(tmp_path.rglob("*.jpg"))


def test_a_thread_that_dies_leaves_no_one_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(one: EvidenceSnapshot) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "encode_snapshot", dies)
    writer, _ = make_writer(tmp_path, patient=True)
    result = writer.write_snapshot(snapshot(1))
    with pytest.raises(KeyboardInterrupt):
        writer.run_snapshots()
    assert result.cancelled()
    assert writer.write_snapshot(snapshot(2)).result() is None


def test_a_clip_that_was_given_up_is_not_written(tmp_path: Path) -> None:
    writer, health = make_writer(tmp_path, patient=True)
    video = RecordedVideo(tmp_path / "none.mp4", None, DECODE_DEFAULTS, 0.0)
    results = [
        writer.write_clip(ClipToWrite("gate", f"gate/{n}.mp4", video, 0.0, 1.0, None))
        for n in range(2)
    ]
    assert all(one.cancel() for one in results)
    writer.close()
    writer.run_clips()
    assert not list(tmp_path.rglob("*"))
    assert health.missing == {}
