"""The command `zones`: an image of a camera with its zones and lines, to draw and check them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import (
    ConfigFile,
    OutputDir,
    Settings,
    at_home,
    explained_errors,
    load,
)
from pipeline.errors import ConfigError, PipelineError
from pipeline.printable import printable

# The rest is imported when an image is made: the video libraries take a second to load.
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.schema import PipelineConfig
    from pipeline.types import Image

_SUFFIXES = (".png", ".jpg", ".jpeg")

app = typer.Typer(rich_markup_mode="markdown")


@app.command(
    epilog="""
**Examples**

`behaviour-stream zones street.mp4`  an image with a grid, to read the corners of a zone from

`behaviour-stream zones gate --config cameras.yaml`  with the zones and lines of the camera gate

`behaviour-stream zones gate=rtsp://10.0.0.8/main --config cameras.yaml --image gate.png`

`behaviour-stream zones street.mp4 --at 90 --point 0.4,0.75 --point 512,300`  what these points are
"""
)
def zones(
    source: Annotated[
        str,
        typer.Argument(
            metavar="[NAME=]VIDEO|CAMERA",
            help="A video file, a camera of --config, or the URL of a camera; NAME= says whose "
            "zones are drawn.",
        ),
    ],
    config_file: ConfigFile = None,
    settings: Settings = None,
    output: OutputDir = None,
    image: Annotated[
        Path | None,
        typer.Option(
            callback=at_home,
            help="FILE.png or FILE.jpg to write; default OUTPUT/zones/NAME.png. An older image is "
            "replaced.",
        ),
    ] = None,
    at: Annotated[
        float, typer.Option("--at", metavar="SECONDS", min=0.0, help="Which frame of a video.")
    ] = 0.0,
    point: Annotated[
        list[str] | None,
        typer.Option(
            "--point",
            metavar="X,Y",
            help="Print what a point is; in fractions of the image, or in pixels.",
        ),
    ] = None,
) -> None:
    """Draw a camera's zones and lines into an image of it, with a grid in fractions.

    The image shows where the points are that the configuration needs. What is probably a mistake
    in the zones of --config is printed.
    """
    with explained_errors():
        config = load(config_file, settings, output, None)
        if image is not None:
            _check_target(image, source)
        name, taken = _take(source, config, at, os.environ)
        from pipeline.commands.zone_report import ZoneReport, parse_point
        from pipeline.outputs.sinks import file_name

        target = image or config.output / "zones" / file_name(name, ".png")
        height, width = taken.shape[:2]
        points = [parse_point(text, (width, height)) for text in point or ()]
        camera = config.cameras.get(name)
        report = ZoneReport(name, (width, height), camera)
        _write(target, report.drawn(taken, points))
        for line in [*report.places(), *map(report.describe, points), *report.remarks()]:
            print(printable(line))
        if camera is None and config.cameras:
            print(f"the configuration has no camera {name}; it has {', '.join(config.cameras)}")
        print(printable(str(target)))


def _take(
    source: str, config: PipelineConfig, at_s: float, environment: Mapping[str, str]
) -> tuple[str, Image]:
    """Return the camera's name and an image of it."""
    from pipeline.commands.camera_image import image_of_camera, image_of_file
    from pipeline.commands.camera_list import find_cameras
    from pipeline.config.live import CameraConfig
    from pipeline.live.camera_source import is_device, split_names
    from pipeline.paths import expand_user, is_there
    from pipeline.sources.video_search import find_videos

    configured = config.cameras.get(source)
    if configured is not None and configured.url is not None:
        [camera] = find_cameras((), config.live, {source: configured}, environment)
        return source, image_of_camera(camera, config.live)
    [(name, text)] = split_names([source]).items()
    if "://" in text or text.isdecimal() or is_device(text) or "?live" in text:
        own = config.cameras.get(name, CameraConfig()).model_copy(update={"url": None})
        [camera] = find_cameras([f"{name}={text}"], config.live, {name: own}, environment)
        return name, image_of_camera(camera, config.live)
    if configured is not None:
        raise ConfigError(f"cameras.{source}: it has no url; give a source: {source}=SOURCE")
    if not is_there(Path(expand_user(text.partition("?stream=")[0]))):
        known = ", ".join(name for name, one in config.cameras.items() if one.url) or "none"
        raise ConfigError(f"{source}: no such file, and no camera of the configuration ({known})")
    [video, *others] = find_videos([text])
    if others:
        raise ConfigError(f"{source}: {1 + len(others)} videos; name one")
    return name, image_of_file(video, at_s, config.replay.max_pixels)


def _check_target(target: Path, source: str) -> None:
    if target.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"--image {target}: expected FILE.png or FILE.jpg")
    read = source.rpartition("=")[2]
    if os.path.realpath(target) in (os.path.realpath(source), os.path.realpath(read)):
        raise ConfigError(f"--image {target}: it is the source; not overwritten")


def _write(target: Path, image: Image) -> None:
    import cv2

    from pipeline.runtime.private_files import open_private

    _, encoded = cv2.imencode(target.suffix.lower(), image)
    try:
        with open_private(target, "wb") as file:
            file.write(encoded.tobytes())
    except OSError as error:
        raise PipelineError(f"{target}: cannot be written ({error.strerror})") from error
