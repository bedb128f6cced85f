"""Makes `pedestrians.mp4` from the full PETS 2009 recording; the recipe of the demo's video.

python -m demo.cut_excerpt path/to/vtest.avi demo/pedestrians.mp4
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated

import av
import typer

FIRST_FRAME = 560  # training uses the frames before it


def main(
    source: Annotated[Path, typer.Argument(help="OpenCV's sample vtest.avi, 795 frames.")],
    target: Annotated[Path, typer.Argument(help="The H.264 file to write.")],
) -> None:
    """Copy the frames from FIRST_FRAME on, at their own speed, as H.264."""
    with av.open(str(source)) as original, av.open(str(target), "w") as excerpt:
        video = original.streams.video[0]
        rate = video.average_rate
        stream = excerpt.add_stream("libx264", rate=rate, options={"crf": "26", "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        for index, frame in enumerate(original.decode(video=0)):
            if index >= FIRST_FRAME:
                frame.pts, frame.time_base = index - FIRST_FRAME, Fraction(1, rate)
                excerpt.mux(stream.encode(frame))
        excerpt.mux(stream.encode())


if __name__ == "__main__":
    typer.run(main)
