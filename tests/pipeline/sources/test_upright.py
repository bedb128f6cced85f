"""Every display matrix and pixel shape is shown as a player shows it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.sources.file_decoder import VideoReader
from pipeline.sources.upright import square_width
from tests.conftest import write_video

# Screen positions of the stored image's corners: (a, b, c, d) maps x, y to ax + cy, bx + dy.
MATRICES = {
    "as it is": (1, 0, 0, 1),
    "a quarter clockwise": (0, 1, -1, 0),
    "upside down": (-1, 0, 0, -1),
    "a quarter counterclockwise": (0, -1, 1, 0),
    "mirrored left to right": (-1, 0, 0, 1),
    "mirrored top to bottom": (1, 0, 0, -1),
    "mirrored at the diagonal": (0, 1, 1, 0),
    "mirrored at the other diagonal": (0, -1, -1, 0),
}
# Grey levels of the stored image's quarters, row by row.
QUARTERS = np.array([[20, 90], [160, 230]])


def write_quarters(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    a, b, c, d = (65536 * value for value in matrix)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        image = np.kron(QUARTERS, np.ones((32, 48))).astype(np.uint8)
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.dstack([image] * 3), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def decode_first(path: Path) -> np.ndarray:
    reader = VideoReader(path)
    try:
        return next(reader.frames()).image
    finally:
        reader.close()


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES.keys())
def test_a_display_matrix_is_applied(tmp_path: Path, matrix: tuple[int, int, int, int]) -> None:
    image = decode_first(write_quarters(tmp_path / "a.mp4", matrix))
    a, b, c, d = matrix
    expected = np.zeros((2, 2), int)
    for row in (0, 1):
        for column in (0, 1):
            x, y = 2 * column - 1, 2 * row - 1  # of the quarter's centre, seen from the middle
            shown_x, shown_y = a * x + c * y, b * x + d * y
            expected[(shown_y + 1) // 2, (shown_x + 1) // 2] = QUARTERS[row, column]
    height, width = image.shape[:2]
    assert (width, height) == ((64, 96) if a == 0 else (96, 64))
    centres = image[height // 4 :: height // 2, width // 4 :: width // 2, 0]
    assert np.abs(centres.astype(int) - expected).max() < 8


def test_pixels_that_are_not_square_are_scaled_in_width(tmp_path: Path) -> None:
    square = write_video(tmp_path / "square.mp4", [0.0, 0.1], wh=(64, 48), left_half=250)
    data = square.read_bytes()
    assert decode_first(square).shape == (48, 64, 3)
    wide = tmp_path / "wide.mp4"
    wide.write_bytes(data)
    with av.open(str(square)) as source, av.open(str(wide), "w") as target:
        stream = target.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)
        for frame in source.decode(video=0):
            target.mux(stream.encode(frame.reformat(format="yuv420p")))
        target.mux(stream.encode())
    image = decode_first(wide)
    assert image.shape == (48, 128, 3)
    assert image[:, :56].mean() > 230
    assert image[:, 72:].mean() < 80


@pytest.mark.parametrize(
    ("width", "aspect", "shown"),
    [
        (704, Fraction(12, 11), 768),
        (960, Fraction(2, 1), 1920),
        (720, Fraction(8, 9), 640),
        (1920, Fraction(1, 1), 1920),
        (1920, None, 1920),
        (1920, Fraction(0, 1), 1920),
        (1912, Fraction(1004, 1000), 1912),  # too little to be seen
        (640, Fraction(1, 1000), 640),  # nonsense
        (640, Fraction(1000, 1), 640),
    ],
)
def test_the_width_in_square_pixels(width: int, aspect: Fraction | None, shown: int) -> None:
    assert square_width(width, aspect) == shown
