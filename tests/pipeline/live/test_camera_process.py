"""The parent's side of a camera, with children that stay silent, crash or hang."""

from __future__ import annotations

import os
import signal
import threading
import time
from multiprocessing.connection import Connection

import pytest

from pipeline.live.camera_messages import OpenStream, StreamError, StreamInfo, StreamStatistics
from pipeline.live.camera_process import CameraProcess, _Begun, _Ended
from pipeline.live.camera_source import CameraSource

REQUEST = OpenStream(
    CameraSource("gate", "rtsp", "rtsp://h/gate"),
    open_timeout_s=0.2,
    read_timeout_s=0.2,
    max_staleness_s=0.5,
)


def opens_then_ends(pipe: Connection) -> None:
    for detail in ("first", "second"):
        assert isinstance(pipe.recv(), OpenStream)
        for message in (_Begun(), StreamInfo("h264"), StreamStatistics({"late": 1})):
            pipe.send(message)
        pipe.send(_Ended("disconnected", detail))
    pipe.recv()


def crashes(pipe: Connection) -> None:
    pipe.recv()
    os.kill(os.getpid(), signal.SIGABRT)


def hangs_while_opening(pipe: Connection) -> None:
    pipe.recv()
    pipe.send(_Begun())
    time.sleep(60.0)


def hangs_once_open(pipe: Connection) -> None:
    pipe.recv()
    pipe.send(_Begun())
    pipe.send(StreamInfo("h264"))
    time.sleep(60.0)


def test_a_child_serves_one_connection_after_the_other() -> None:
    with CameraProcess(opens_then_ends) as process:
        pids = set()
        for detail in ("first", "second"):
            items = []
            with pytest.raises(StreamError) as caught:
                for item in process.frames(REQUEST):
                    items.append(item)
            pids.add(process.pid)
            assert [item for item in items if item is not None] == [
                StreamInfo("h264"),
                StreamStatistics({"late": 1}),
            ]
            assert (caught.value.reason, caught.value.detail) == ("disconnected", detail)
        assert len(pids) == 1
    assert process.pid is None


@pytest.mark.parametrize(
    ("child", "reason", "detail"),
    [
        (crashes, "decoder_crashed", r"the decoder died \(SIGABRT"),
        (hangs_while_opening, "unreachable", "no answer within 1.2 s"),
        (hangs_once_open, "stalled", "nothing came for 1.2 s"),
    ],
)
def test_a_child_that_crashes_or_hangs_is_an_error_and_gone(
    child: object, reason: str, detail: str
) -> None:
    with CameraProcess(child) as process:  # type: ignore[arg-type]
        with pytest.raises(StreamError, match=detail) as caught:
            list(process.frames(REQUEST))
        assert caught.value.reason == reason
        assert process.pid is None


def test_nothing_is_left_of_a_child_that_was_killed() -> None:
    with CameraProcess(opens_then_ends) as process:
        next(process.frames(REQUEST))
        assert process.pid is not None
        process.kill()
        process.kill()
        assert process.pid is None
    assert not [one for one in threading.enumerate() if one.name == "camera"]
