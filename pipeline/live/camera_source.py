"""Parse what the user calls a camera into what the decoder opens."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from pipeline.errors import ConfigError
from pipeline.paths import expand_user, name_of
from pipeline.redaction import mask_source, mask_url

Kind = Literal["rtsp", "http", "rtmp", "webcam", "file"]
_SCHEMES: dict[str, Kind] = {
    "rtsp": "rtsp",
    "rtsps": "rtsp",
    "http": "http",
    "https": "http",
    "rtmp": "rtmp",
    "rtmps": "rtmp",
}
_NAMED = re.compile(r"(?P<name>[\w.-]+)=(?P<source>.+)", re.S)
EXAMPLES = (
    "rtsp://host/path, rtsps://, http(s)://, rtmp://, a webcam's number, or FILE.mp4?live, "
    "each with NAME= before it to give it a name"
)


@dataclass(frozen=True, slots=True)
class CameraSource:
    """One camera; a reload keeps the connection of an equal one."""

    camera_id: str
    kind: Kind
    url: str = field(repr=False)  # with credentials; of a file or a webcam: its path
    transport: Literal["tcp", "udp"] = "tcp"  # for RTSP
    verify_tls: bool = True
    detect_fps: float | None = None  # frames per second to process; None: every frame
    loop: bool = False  # of a file
    speed: float = 1.0  # of a file: multiple of its own pace

    @property
    def shown(self) -> str:
        """Its URL without credentials, to be logged."""
        return mask_url(self.url)


def parse_source(
    text: str,
    camera_id: str,
    *,
    username: str | None = None,
    password: str | None = None,
    transport: Literal["tcp", "udp"] = "tcp",
    verify_tls: bool = True,
    detect_fps: float | None = None,
) -> CameraSource:
    """Parse a URL, a webcam's number or a file that is played at its own pace.

    Args:
        text: what the user wrote, without the name. A file's query may be `?live`, with `&loop`
            and `&speed=N` behind it.
        camera_id: its name.
        username: added to the URL, as is `password`.
        password: for cameras whose configured URL must not show it.
        transport: for RTSP.
        verify_tls: refuse a certificate that no known authority signed.
        detect_fps: frames per second to process; None: every frame.

    Raises:
        ConfigError: if it is none of these; the message has no credential.
    """
    scheme, separator, _ = text.partition("://")
    if separator:
        kind = _SCHEMES.get(scheme.lower())
        if kind is None:
            raise ConfigError(f"camera {camera_id}: {mask_url(text)}: expected {EXAMPLES}")
        text = scheme.lower() + text[len(scheme) :]  # FFmpeg accepts lower case only
        url = _with_credentials(text, camera_id, username, password)
        return CameraSource(camera_id, kind, url, transport, verify_tls, detect_fps)
    if text.isdecimal():
        return CameraSource(camera_id, "webcam", f"/dev/video{text}", detect_fps=detect_fps)
    if is_device(text):  # /dev/video0, or /dev/v4l/by-id/..., which stays when others come and go
        return CameraSource(camera_id, "webcam", text, detect_fps=detect_fps)
    path, _, query = text.rpartition("?") if "?" in text else (text, "", "")
    path = expand_user(path)
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = set(options) - {"live", "loop", "speed"}
    if unknown or not path:
        raise ConfigError(f"camera {camera_id}: {mask_source(text)}: expected {EXAMPLES}")
    if not _is_file(path):
        shown = mask_source(path)
        raise ConfigError(f"camera {camera_id}: {shown}: no such file; expected {EXAMPLES}")
    return CameraSource(
        camera_id,
        "file",
        path,
        detect_fps=detect_fps,
        loop="loop" in options,
        speed=_speed(options.get("speed", "1"), camera_id),
    )


def split_names(arguments: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Name the cameras of the command line.

    `NAME=` gives a name. Without it a camera is named after its host and path, a file after its
    stem, a webcam `webcam-N`; equal names get `-2`, `-3` and so on.

    Args:
        arguments: sources, optionally with `NAME=` before them.
        taken: names that are in use.

    Returns:
        The sources by name, in order.

    Raises:
        ConfigError: if a name is given twice.
    """
    sources: dict[str, str] = {}
    used = set(taken)
    for argument in arguments:
        named = _NAMED.fullmatch(argument)
        if named and not _is_file(argument.rpartition("?")[0] or argument):
            camera_id, text = named["name"], named["source"]
            if camera_id in used:
                raise ConfigError(f"camera {camera_id}: there are two of this name")
        else:
            text, stem = argument, _default_name(argument)
            names = chain([stem], (f"{stem}-{n}" for n in count(2)))
            camera_id = next(name for name in names if name not in used)
        used.add(camera_id)
        sources[camera_id] = text
    return sources


def is_device(text: str) -> bool:
    """Return whether a source is a webcam by its path."""
    return text.startswith("/dev/")


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # an unreadable folder; a name that no file can have
        return False


def _default_name(text: str) -> str:
    text = mask_source(text)
    if text.isdecimal():
        return f"webcam-{text}"
    if "://" not in text:
        return name_of(Path(Path(text.rpartition("?")[0] or text).name))
    try:
        parts = urlsplit(text)
        host, path = parts.hostname or "camera", parts.path
    except ValueError:
        host, path = "camera", ""
    # Masked parts leave no trace, and cameras of one name are numbered.
    return re.sub(r"[^A-Za-z0-9.]+", "-", f"{host}{path}").strip("-.") or "camera"


def _with_credentials(url: str, camera_id: str, username: str | None, password: str | None) -> str:
    """Return the URL with user and password, percent-encoded as FFmpeg expects them."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # not chained: its text quotes parts of the password
        raise ConfigError(
            f"camera {camera_id}: {mask_url(url)}: not a URL; a password with special characters "
            "belongs into password_file or must be percent-encoded"
        ) from None
    if "@" in url and "@" not in parts.netloc and ":" in parts.netloc and "." not in parts.netloc:
        raise ConfigError(  # rtsp://admin:12/34@10.0.0.9/: a host "admin" with port 12
            f"camera {camera_id}: {mask_url(url)}: there is a / ? or # in the password: write it "
            "as %2F %3F %23, or put the password into password_file"
        )
    if not host:
        raise ConfigError(f"camera {camera_id}: {mask_url(url)}: it names no host")
    if username is None and password is None:
        return url
    if parts.username is not None:
        raise ConfigError(f"camera {camera_id}: a user both in its url and beside it")
    user = quote(username or "", safe="")
    secret = "" if password is None else f":{quote(password, safe='')}"
    at = f"[{host}]" if ":" in host else host
    netloc = f"{user}{secret}@{at}" + (f":{port}" if port else "")
    return urlunsplit(parts._replace(netloc=netloc))


def _speed(text: str, camera_id: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise ConfigError(f"camera {camera_id}: speed={text}: expected a number above 0")
    return speed
