"""The options in the URL of a Redis server: which there are, and what their values may be."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

_OPTION = re.compile(r"[a-z][a-z_]{2,40}")


def check_printable(text: str, what: str) -> str:
    """Return the text unchanged if it has no control character and is UTF-8.

    Raises:
        ValueError: if it has what no name, path or password has, and what Python fails on later.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} is not UTF-8") from None
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError(f"{what} has a control character in it, such as the end of a line")
    return text


def read_options(query: str, *, tls: bool, sentinel: bool) -> dict[str, Any]:
    """Return the options of a query as redis-py takes them, and those that start with `sentinel_`.

    Args:
        query: what is behind the `?`.
        tls: whether the URL asks for TLS.
        sentinel: whether it names sentinels.

    Raises:
        ValueError: naming the first option that is unknown, refused or wrong; the message has no
            piece of a password.
    """
    found: dict[str, Any] = {}
    secret = ""  # an option whose value may have ended too early, at a &
    for pair in filter(None, query.split("&")):
        name = pair.partition("=")[0]
        if name not in _READERS:
            raise ValueError(_refused(name, secret))
        if name in found:
            raise ValueError(f"option {name} is given twice")
        if name.startswith("ssl_") and not tls:
            raise ValueError(f"option {name} needs TLS, that is rediss:// or rediss+...")
        if name.startswith("sentinel_") and not sentinel:
            raise ValueError(f"option {name} is for redis+sentinel:// alone")
        decoded = dict(parse_qsl(pair, keep_blank_values=True)).get(name, "")
        if not decoded:
            raise ValueError(f"option {name} has no value")
        found[name] = _READERS[name](name, check_printable(decoded, f"option {name}"))
        if name.endswith(("password", "username", "data")):
            secret = name
    _check_certificates(found)
    return found


def _check_certificates(options: Mapping[str, Any]) -> None:
    """Load what a connection would load, now: later it is an outage, or a prompt for a password."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authorities = [options.get(f"ssl_ca_{what}") for what in ("certs", "path", "data")]
    try:
        if any(authorities):
            context.load_verify_locations(*authorities)
    except (OSError, ValueError):  # ssl.SSLError is an OSError; not chained: it may quote
        raise ValueError("options ssl_ca_...: there is no certificate in it (PEM)") from None
    certificate, key = options.get("ssl_certfile"), options.get("ssl_keyfile")
    if key and not certificate:
        raise ValueError("option ssl_keyfile needs ssl_certfile")
    try:
        if certificate:
            context.load_cert_chain(certificate, key, options.get("ssl_password", ""))
    except (OSError, ValueError):
        raise ValueError(
            "options ssl_certfile, ssl_keyfile, ssl_password: no certificate (PEM) with its key, "
            "or the password does not open it"
        ) from None


def _refused(name: str, secret: str) -> str:
    if name in _NOT_YOURS:
        return f"option {name} cannot be set: this program depends on its value"
    if secret:  # the name may be the rest of a password
        return f"what is behind option {secret} is no option; write & in a value as %26"
    known = ", ".join(_READERS)
    if not _OPTION.fullmatch(name):  # no name, so perhaps a piece of something else
        return f"an option is unknown; there are {known}"
    close = get_close_matches(name, _READERS, n=1, cutoff=0.75)
    hint = f"did you mean {close[0]}?" if close else f"there are {known}"
    return f"option {name} is unknown; {hint}"


def _text(name: str, value: str) -> str:
    return value


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise ValueError(f"option {name} is not the number of a database")
    return int(value)


def _switch(name: str, value: str) -> bool:
    words = {"true": True, "yes": True, "1": True, "on": True}
    words |= {"false": False, "no": False, "0": False, "off": False}
    if value.lower() not in words:
        raise ValueError(f"option {name} is neither true nor false")
    return words[value.lower()]


def _name(name: str, value: str) -> str:
    if not value.isascii() or " " in value:
        raise ValueError(f"option {name} takes a name of ASCII characters without blanks")
    return value


def _file(name: str, value: str) -> str:
    path = Path(value).expanduser()
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"option {name}: cannot read the file ({error.strerror})") from None
    return str(path)


def _folder(name: str, value: str) -> str:
    path = Path(value).expanduser()
    if not path.is_dir():
        raise ValueError(f"option {name} is not a folder")
    return str(path)


def _requirement(name: str, value: str) -> str:
    if value not in ("none", "optional", "required"):
        raise ValueError(f"option {name} is none of none, optional, required")
    return value


def _tls_version(name: str, value: str) -> ssl.TLSVersion:
    versions = {"771": ssl.TLSVersion.TLSv1_2, "772": ssl.TLSVersion.TLSv1_3}
    if value not in versions:
        raise ValueError(f"option {name} is neither 771 (TLS 1.2) nor 772 (TLS 1.3)")
    return versions[value]


def _ciphers(name: str, value: str) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(value)
    except ssl.SSLError:
        raise ValueError(f"option {name} is no list of ciphers that OpenSSL knows") from None
    return value


# What may be set, and how its text is read.
_READERS: dict[str, Callable[[str, str], Any]] = {
    "db": _number,
    "username": _text,
    "password": _text,
    "client_name": _name,
    "socket_keepalive": _switch,
    "sentinel_username": _text,
    "sentinel_password": _text,
    "ssl_ca_certs": _file,
    "ssl_ca_path": _folder,
    "ssl_ca_data": _text,
    "ssl_certfile": _file,
    "ssl_keyfile": _file,
    "ssl_password": _text,
    "ssl_cert_reqs": _requirement,
    "ssl_check_hostname": _switch,
    "ssl_min_version": _tls_version,
    "ssl_ciphers": _ciphers,
}
# Options of redis-py on which this program depends: the shape of replies, how long a command takes
# and how often it is sent, how many connections there are, and where they go.
_NOT_YOURS = {
    "protocol",
    "legacy_responses",
    "decode_responses",
    "encoding",
    "encoding_errors",
    "charset",
    "errors",
    "socket_timeout",
    "socket_connect_timeout",
    "timeout",
    "retry",
    "retry_on_timeout",
    "retry_on_error",
    "health_check_interval",
    "max_connections",
    "socket_read_size",
    "single_connection_client",
    "connection_class",
    "connection_pool",
    "parser_class",
    "command_packer",
    "redis_connect_func",
    "lib_name",
    "lib_version",
    "driver_info",
    "credential_provider",
    "cache",
    "cache_config",
    "event_dispatcher",
    "maint_notifications_config",
    "host",
    "port",
    "path",
    "unix_socket_path",
    "ssl",
    "service_name",
    "sentinel_kwargs",
    "min_other_sentinels",
    "force_master_ip",
    "read_from_replicas",
    "load_balancing_strategy",
    "cluster_error_retry_attempts",
    "require_full_coverage",
}
