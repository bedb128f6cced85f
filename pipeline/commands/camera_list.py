"""List the cameras of a live run, from configuration and command line, with their passwords."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.config.live import CameraConfig, LiveConfig
from pipeline.config.secret_file import read_secret
from pipeline.errors import ConfigError
from pipeline.live.camera_source import (
    EXAMPLES,
    CameraSource,
    is_device,
    parse_source,
    split_names,
)
from pipeline.redaction import mask_source


def find_cameras(
    arguments: Sequence[str],
    live: LiveConfig,
    cameras: Mapping[str, CameraConfig],
    environment: Mapping[str, str],
    *,
    realtime: bool = False,
) -> tuple[CameraSource, ...]:
    """Return the cameras of the command line, then those of the configuration.

    Args:
        arguments: sources, optionally with `NAME=` before them.
        live: settings for all cameras.
        cameras: section of the configuration, by name.
        environment: has the variables that `password_env` names.
        realtime: play a path among the arguments as a camera, at the file's own pace.

    Raises:
        ConfigError: naming the camera, without its credentials.
    """
    found = []
    for name, text in split_names(arguments, cameras).items():
        is_camera = "://" in text or text.isdecimal() or is_device(text)
        is_path = not is_camera and "?" not in text
        text = f"{text}?live" if is_path and realtime else text
        if is_path and not realtime:
            shown = mask_source(text)
            raise ConfigError(
                f"camera {name}: {shown}: a file is recorded: `replay` reads it whole; "
                f"`{shown}?live` or --realtime plays it like a camera. Expected {EXAMPLES}"
            )
        common = CameraConfig(url=text)
        found.append(_source(name, common, live, environment))
    found += [_source(name, camera, live, environment) for name, camera in cameras.items()]
    if not found:
        raise ConfigError("no camera: name one on the command line or in the section cameras")
    return tuple(found)


def _source(
    name: str, camera: CameraConfig, live: LiveConfig, environment: Mapping[str, str]
) -> CameraSource:
    return parse_source(
        camera.url,
        name,
        username=camera.username,
        password=_password(name, camera, environment),
        transport=camera.transport or live.transport,
        verify_tls=live.verify_tls if camera.verify_tls is None else camera.verify_tls,
        detect_fps=camera.detect_fps or live.detect_fps,
    )


def _password(name: str, camera: CameraConfig, environment: Mapping[str, str]) -> str | None:
    if camera.password_file is not None:
        return read_secret(camera.password_file, f"cameras.{name}.password_file")
    if camera.password is not None:
        return camera.password.get_secret_value()
    if camera.password_env is None:
        return None
    password = environment.get(camera.password_env)
    if not password:
        raise ConfigError(
            f"cameras.{name}.password_env: the environment has no variable {camera.password_env}"
        )
    return password
