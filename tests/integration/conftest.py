"""Short pieces of a real recording, so that a whole run of the program takes seconds.

Every second frame, as a camera of 5 fps has them: detecting people takes most of the time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from tests.conftest import REPOSITORY
from tests.network_log import NetworkLog

DEMO = REPOSITORY / "demo" / "pedestrians.mp4"
# First frame and number of frames; a clip spans two seconds.
PIECES = [(0, 22), (80, 18), (150, 16)]
STEP = 2


@pytest.fixture(scope="module", autouse=True)
def _no_connection_that_nobody_asked_for(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Fail a file whose commands, or any process below them, reach for a host of nobody's wish."""
    log = NetworkLog(tmp_path_factory.mktemp("network"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(log.folder), prepend=os.pathsep)
        yield
    assert not log.unasked()


@pytest.fixture(scope="session")
def excerpts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three pieces of the demo's recording, 3 to 4 s long, as files of their own."""
    folder = tmp_path_factory.mktemp("excerpts")
    return [
        cut(folder / f"part{number}.mp4", first, count)
        for number, (first, count) in enumerate(PIECES)
    ]


def cut(path: Path, first: int, count: int) -> Path:
    """Encode every second frame of a part of the demo again, the first one at time 0."""
    with av.open(str(DEMO)) as source, av.open(str(path), "w") as target:
        video = source.streams.video[0]
        stream = target.add_stream("libx264", rate=video.average_rate)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        for index, frame in enumerate(source.decode(video)):
            if index in range(first, first + STEP * count, STEP):
                frame.pts, frame.time_base = index - first, 1 / video.average_rate
                target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return path
