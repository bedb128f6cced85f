"""The process that writes clips, and what happens when it crashes, hangs or cannot."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from pipeline.evidence.clip_file import ClipError
from pipeline.evidence.clip_process import ClipJob, ClipProcess, RecordedVideo
from pipeline.sources.file_decoder import DECODE_DEFAULTS
from tests.pipeline.evidence.clips import encode, stretch_of


def crashes(pipe: Connection) -> None:
    pipe.recv()
    os.kill(os.getpid(), signal.SIGABRT)


def hangs(pipe: Connection) -> None:
    pipe.recv()
    time.sleep(60.0)


def job(path: Path, video: object) -> ClipJob:
    return ClipJob(path, video, 101.5, 102.5, 10_000_000)  # type: ignore[arg-type]


def test_clips_of_packets_and_of_files_and_what_cannot_be_written(tmp_path: Path) -> None:
    camera = encode(tmp_path / "camera.mp4", "h264")
    recorded = RecordedVideo(camera, None, DECODE_DEFAULTS, begins_s=100.0)
    with ClipProcess(60.0) as process:
        of_packets = process.write(job(tmp_path / "1.mp4", stretch_of(camera, 100.0)))
        of_file = process.write(job(tmp_path / "2.mp4", recorded))
        assert of_packets.start_s == 100.0  # as they were sent
        assert (of_file.start_s, of_file.last_s) == pytest.approx((101.0, 102.5))
        missing = RecordedVideo(tmp_path / "none.mp4", None, DECODE_DEFAULTS, 0.0)
        with pytest.raises(ClipError, match="not a readable video"):
            process.write(job(tmp_path / "3.mp4", missing))
        (tmp_path / "file").touch()
        with pytest.raises(OSError, match=r"(?i)not a directory|exists"):
            process.write(job(tmp_path / "file" / "4.mp4", recorded))
        assert process.write(job(tmp_path / "5.mp4", recorded)).start_s == 101.0


def test_a_crash_is_an_error_of_its_clip_and_a_hang_one_of_the_disk(tmp_path: Path) -> None:
    stretch = stretch_of(encode(tmp_path / "camera.mp4", "h264", seconds=1.0))
    with ClipProcess(60.0, crashes) as process, pytest.raises(ClipError, match=r"died \(SIGABRT"):
        process.write(job(tmp_path / "1.mp4", stretch))
    with (
        ClipProcess(0.3, hangs) as process,
        pytest.raises(TimeoutError, match="not written within"),
    ):
        process.write(job(tmp_path / "1.mp4", stretch))


def test_a_run_that_is_ended_waits_for_no_clip(tmp_path: Path) -> None:
    stretch = stretch_of(encode(tmp_path / "camera.mp4", "h264", seconds=1.0))
    with ClipProcess(60.0, hangs) as process:
        process.abandon()
        with pytest.raises(ClipError, match="ended"):
            process.write(job(tmp_path / "1.mp4", stretch))
