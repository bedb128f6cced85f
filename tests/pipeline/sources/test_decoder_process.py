from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.sources.decoder_process import DecoderProcess
from pipeline.sources.file_decoder import VideoInfo
from pipeline.sources.shared_frames import NeedSlots
from tests.conftest import write_video


def abort_like_a_corrupt_heap(pipe: Connection, path: Path) -> None:
    os.abort()


def exit_without_a_word(pipe: Connection, path: Path) -> None:
    os._exit(7)


def die_while_asking_for_slots(pipe: Connection, path: Path) -> None:
    pipe.send(VideoInfo("h264", 64, 48, 9, duration_s=0.9, fps=10.0))
    pipe.send(NeedSlots(64 * 48 * 3))
    os._exit(9)


def hang(pipe: Connection, path: Path) -> None:
    threading.Event().wait()


def count_frames(decoder: DecoderProcess) -> int:
    stop = threading.Event()
    decoder.read_info(stop)
    return sum(1 for _ in decoder.frames(stop))


def test_a_decoder_that_aborts_costs_an_error_and_not_the_process() -> None:
    with (
        DecoderProcess(Path("x.avi"), child=abort_like_a_corrupt_heap) as decoder,
        pytest.raises(SourceError, match=r"decoder crashed on it \(SIGABRT\)"),
    ):
        decoder.read_info(threading.Event())


def test_a_decoder_that_exits_is_noticed() -> None:
    with (
        DecoderProcess(Path("x.avi"), child=exit_without_a_word) as decoder,
        pytest.raises(SourceError, match=r"crashed on it \(exit code 7\)"),
    ):
        decoder.read_info(threading.Event())


def test_a_decoder_that_dies_while_it_asks_for_memory_is_an_error_of_its_file() -> None:
    with DecoderProcess(Path("x.avi"), child=die_while_asking_for_slots) as decoder:
        decoder.read_info(threading.Event())
        [child] = multiprocessing.active_children()
        child.join()
        with pytest.raises(SourceError, match=r"crashed on it \(exit code 9\)"):
            list(decoder.frames(threading.Event()))


def test_a_file_that_is_deleted_while_it_is_read_is_an_error_after_its_frames(
    tmp_path: Path,
) -> None:
    """Recorders delete and move their files at any time; the decoder has it open."""
    path = write_video(tmp_path / "clip.mp4", [n / 10 for n in range(12)])
    decoded = []
    with DecoderProcess(path) as decoder:
        decoder.read_info(threading.Event())
        path.unlink()
        with pytest.raises(SourceError, match=r"reading stopped \(No such file"):
            for one in decoder.frames(threading.Event()):
                decoded.append(one)
    assert len(decoded) == 12


def test_a_decoder_that_hangs_is_an_error() -> None:
    with (
        DecoderProcess(Path("x.avi"), read_timeout_s=0.5, child=hang) as decoder,
        pytest.raises(SourceError, match="hangs"),
    ):
        decoder.read_info(threading.Event())


def test_stop_is_noticed_while_a_decoder_hangs() -> None:
    stop = threading.Event()
    stop.set()
    with DecoderProcess(Path("x.avi"), child=hang) as decoder:
        assert decoder.read_info(stop) is None


def test_a_decoder_killed_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [n / 30 for n in range(200)])
    stop = threading.Event()
    with DecoderProcess(path) as decoder, pytest.raises(SourceError, match="SIGKILL"):
        decoder.read_info(stop)
        for _ in decoder.frames(stop):
            [child] = multiprocessing.active_children()
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)


def test_no_child_is_left_when_the_reader_leaves_early(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [n / 30 for n in range(200)])
    stop = threading.Event()
    with DecoderProcess(path) as decoder:
        decoder.read_info(stop)
        next(decoder.frames(stop))
    assert multiprocessing.active_children() == []


def test_an_image_size_that_grows_in_the_stream_is_followed(tmp_path: Path) -> None:
    """Two MPEG streams of different size, one behind the other, are one valid stream."""
    small = write_video(tmp_path / "s.mjpeg", [0, 0.1, 0.2], codec="mjpeg", wh=(64, 48))
    large = write_video(tmp_path / "l.mjpeg", [0, 0.1, 0.2], codec="mjpeg", wh=(160, 96))
    both = tmp_path / "both.mjpeg"
    both.write_bytes(small.read_bytes() + large.read_bytes() + small.read_bytes())
    stop = threading.Event()
    with DecoderProcess(both) as decoder:
        decoder.read_info(stop)
        shapes = [decoded.image.shape[:2] for decoded in decoder.frames(stop)]
    assert shapes == [(48, 64)] * 3 + [(96, 160)] * 3 + [(48, 64)] * 3


def test_the_child_survives_a_ctrl_c_of_the_terminal(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [n / 30 for n in range(300)])
    stop = threading.Event()
    with DecoderProcess(path) as decoder:
        decoder.read_info(stop)
        frames = decoder.frames(stop)
        next(frames)
        [child] = multiprocessing.active_children()
        assert child.pid is not None
        os.kill(child.pid, signal.SIGINT)
        os.kill(child.pid, signal.SIGTERM)
        assert sum(1 for _ in frames) == 299
