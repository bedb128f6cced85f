"""List the cameras of a live run, from configuration and command line, with their passwords."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pipeline.config.live import CameraConfig, LiveConfig
from pipeline.config.rule_references import applies_to
from pipeline.config.schema import PipelineConfig
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

    A camera of the command line has the settings of the configuration under its name, if there is
    one without a `url`.

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
    configured = {name: camera for name, camera in cameras.items() if camera.url is not None}
    for name, text in split_names(arguments, configured).items():
        is_camera = "://" in text or text.isdecimal() or is_device(text)
        is_path = not is_camera and "?" not in text
        text = f"{text}?live" if is_path and realtime else text
        if is_path and not realtime:
            shown = mask_source(text)
            raise ConfigError(
                f"camera {name}: {shown}: a file is recorded: `replay` reads it whole; "
                f"`{shown}?live` or --realtime plays it like a camera. Expected {EXAMPLES}"
            )
        settings = cameras.get(name, CameraConfig())
        found.append(_source(name, text, settings, live, environment))
    for name, camera in configured.items():
        assert camera.url is not None
        found.append(_source(name, camera.url, camera, live, environment))
    names = [source.camera_id for source in found]
    if unknown := sorted(cameras.keys() - set(names)):
        raise ConfigError("\n".join(_without_source(name, names) for name in unknown))
    if not found:
        raise ConfigError("no camera: name one on the command line or in the section cameras")
    return tuple(found)


def unused_settings(cameras: Mapping[str, CameraConfig], recorded: Sequence[str]) -> list[str]:
    """Return one text per camera whose settings no recording of a replay uses.

    One that has a `url` is not meant: its configuration is that of a live run.

    Args:
        cameras: section of the configuration, by name.
        recorded: camera ids of the recordings.
    """
    unused = [name for name, camera in cameras.items() if not (camera.url or name in recorded)]
    known = ", ".join(recorded)
    return [f"cameras.{name}: not used; the recordings are of {known}" for name in unused]


def idle_rules(config: PipelineConfig, camera_ids: Sequence[str]) -> list[str]:
    """Return one text per rule that applies to none of a run's cameras, and so cannot alarm.

    Args:
        config: with `rules` and `cameras`.
        camera_ids: of the run.
    """
    return [
        f"rules.{name}: it applies to no camera of this run ({', '.join(camera_ids)}): they have "
        "none of its zones or lines (cameras.NAME.zones), or are not among its cameras"
        for name, rule in config.rules.items()
        if not any(applies_to(rule, one, config.cameras.get(one)) for one in camera_ids)
    ]


def past_schedules(config: PipelineConfig, now: datetime) -> list[str]:
    """Return one text per schedule that will never hold again.

    Args:
        config: with `schedules`.
        now: with a time zone.
    """
    texts = []
    for name, section in config.schedules.items():
        schedule = section.schedule(name)
        last = schedule.last_day()
        # What begins on the last day ends on the day after it at the latest.
        if last is not None and now.astimezone(schedule.zone).date() > last + timedelta(days=1):
            texts.append(
                f"schedules.{name}: its last day, {last}, is over: rules with it raise no alarm"
            )
    return texts


def _without_source(name: str, known: Sequence[str]) -> str:
    return (
        f"cameras.{name}: it has no url, and the command line names no such camera: add one, or "
        f"start with {name}=SOURCE (known: {', '.join(known) or 'none'})"
    )


def _source(
    name: str,
    url: str,
    camera: CameraConfig,
    live: LiveConfig,
    environment: Mapping[str, str],
) -> CameraSource:
    return parse_source(
        url,
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
