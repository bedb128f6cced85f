"""Compare the peak memory of replaying a video once and replaying it repeated in one file.

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
    """Write the packets of `source` to `target` several times in a row, without re-encoding."""
    with av.open(str(target), "w") as joined:
        stream, end = None, 0
        for _ in range(times):
            with av.open(str(source)) as original:
                video = original.streams.video[0]
                stream = stream or joined.add_stream_from_template(video)
                shift = None
                for packet in original.demux(video):
                    if packet.dts is None:  # the last packet flushes the demuxer and has no data
                        continue
                    shift = end - packet.dts if shift is None else shift
                    packet.pts = (packet.dts if packet.pts is None else packet.pts) + shift
                    packet.dts += shift
                    end = packet.dts + (packet.duration or 1)
                    packet.stream = stream
                    joined.mux(packet)


def peak_mib(video: Path, settings: Sequence[str]) -> float:
    """Replay a file and return the peak resident memory in MiB, the maximum over its processes.

    Raises:
        typer.Exit: with the exit code of the replay if that is not 0.
    """
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, str(PROJECT / "run_pipeline.py"), "replay", str(video)]
        command += ["--output", output, "--redis", "none"]
        command += [argument for setting in settings for argument in ("--set", setting)]
        process = subprocess.Popen(command)  # noqa: S603 - this project's program
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise typer.Exit(process.returncode)
    return usage.ru_maxrss / 1024


def main(
    video: Annotated[Path, typer.Argument(help="Video to replay once and repeated.")],
    times: Annotated[int, typer.Option(help="Repetitions in the long file.")] = 5,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a config key.")
    ] = None,
) -> None:
    """Measure the peak memory of both replays and print their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        long = Path(folder) / f"{video.stem}{video.suffix}"
        repeat_video(video, long, times)
        single_mib, long_mib = peak_mib(video, settings or ()), peak_mib(long, settings or ())
    print(
        f"peak memory: once {single_mib:.0f} MiB, {times} times {long_mib:.0f} MiB, "
        f"ratio {long_mib / single_mib:.3f}"
    )


if __name__ == "__main__":
    typer.run(main)
