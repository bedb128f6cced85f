"""Whether memory grows with the length of a video: one file against the same file several times.

python -m benchmarks.memory VIDEO [--times 5] [--set KEY=VALUE]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import av
import typer

from pipeline.config.shipped_files import PROJECT


def repeat_video(source: Path, target: Path, times: int) -> None:
    """Write the packets of `source` several times in a row, without encoding them again."""
    with av.open(str(target), "w") as joined:
        stream, end = None, 0
        for _ in range(times):
            with av.open(str(source)) as original:
                video = original.streams.video[0]
                stream = stream or joined.add_stream_from_template(video)
                shift = None
                for packet in original.demux(video):
                    if packet.dts is None:  # the last one flushes and has no data
                        continue
                    shift = end - packet.dts if shift is None else shift
                    packet.pts = (packet.dts if packet.pts is None else packet.pts) + shift
                    packet.dts += shift
                    end = packet.dts + (packet.duration or 1)
                    packet.stream = stream
                    joined.mux(packet)


def peak_mib(video: Path, settings: Sequence[str]) -> float:
    """Peak resident memory of a replay of this file; of its decoder too if that is larger."""
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, str(PROJECT / "run_pipeline.py"), "replay", str(video)]
        command += ["--output", output, "--redis", "none"]
        command += [part for setting in settings for part in ("--set", setting)]
        process = subprocess.Popen(command)  # noqa: S603 - our own program
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise typer.Exit(process.returncode)
    return usage.ru_maxrss / 1024


def main(
    video: Annotated[Path, typer.Argument(help="A file to replay once and several times.")],
    times: Annotated[int, typer.Option(help="How often the long one repeats it.")] = 5,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE")] = None,
) -> None:
    """Print the peak memory of both runs and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        long = Path(folder) / f"{video.stem}{video.suffix}"
        repeat_video(video, long, times)
        once, often = peak_mib(video, settings or ()), peak_mib(long, settings or ())
    print(f"once: {once:.0f} MiB at most; {times} times: {often:.0f} MiB; ratio {often / once:.3f}")


if __name__ == "__main__":
    typer.run(main)
