"""The command `live`: watch cameras until told to stop."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.camera_list import find_cameras
from pipeline.commands.options import (
    ConfigFile,
    OutputDir,
    RedisUrl,
    Settings,
    console,
    explained_errors,
    load,
    new_run_id,
)
from pipeline.config.shipped_files import PROJECT
from pipeline.runtime.shutdown import Shutdown, on_hangup, on_signals
from pipeline.telemetry.systemd import SystemdNotifier

if TYPE_CHECKING:
    from pipeline.config.schema import PipelineConfig
    from pipeline.live.camera_source import CameraSource

app = typer.Typer(rich_markup_mode="markdown")


@app.command(
    epilog="""
**Examples**

`behaviour-stream live rtsp://10.0.0.8/main rtsp://10.0.0.9/main`

`behaviour-stream live gate=rtsp://viewer:secret@10.0.0.8/main --redis redis://localhost:6379/0`

`behaviour-stream live --config cameras.yaml`  cameras with names and passwords from files

`behaviour-stream live 0`  the first webcam

`behaviour-stream live 'street.mp4?live&loop'`  a recording, played like a camera

`curl http://127.0.0.1:8787/health`  how it goes; `/metrics` for Prometheus

`kill -HUP PID`  read the cameras of --config again
"""
)
def live(
    cameras: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]SOURCE...",
            help="rtsp://, rtsps://, http(s):// (MJPEG, HLS), rtmp://, a webcam's number or "
            "FILE?live; more in the section cameras of --config.",
        ),
    ] = None,
    config_file: ConfigFile = None,
    settings: Settings = None,
    output: OutputDir = None,
    events: Annotated[
        Path | None, typer.Option(help="JSON lines file of the events; what is in it stays.")
    ] = None,
    redis: RedisUrl = None,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="Play files like cameras, at their own pace.")
    ] = False,
) -> None:
    """Recognize the actions in front of live cameras, day and night.

    Every camera is opened again until it is back, whatever happens to it; what the machine cannot
    manage is left out and counted, so that events are never late. Events go to a Redis stream, from
    which `subscribe` prints them, and wait on disk while Redis is away.
    """
    shutdown, reload_asked = Shutdown(), threading.Event()
    with explained_errors(), on_signals(shutdown, console.print), on_hangup(reload_asked):
        config = load(config_file, settings, output, redis)

        def find(now: PipelineConfig) -> tuple[CameraSource, ...]:
            return find_cameras(cameras or (), now.live, now.cameras, os.environ, realtime=realtime)

        sources = find(config)
        # Takes seconds: a mistake in the configuration is told before.
        from pipeline.commands.live_run import LiveRequest, run_live

        request = LiveRequest(
            cameras=sources,
            reload=lambda: find(load(config_file, settings, output, redis)),
            events=events,
            run_id=new_run_id(),
        )
        service = SystemdNotifier.from_environment(os.environ)
        run_live(request, config, PROJECT, console, shutdown, reload_asked, service)
