"""Read the URL of a Redis server strictly: what is wrong with it is reported without a piece of it.

redis-py takes a URL apart by its special characters, so that one of them in a password moves the
password's pieces to where host, port and options are, from where they get into error messages. It
also takes options that change what this program relies on, and passes others on until they fail.
This file does not import it, so that the configuration can check a URL without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from pipeline.redis_store.url_options import check_printable, read_options

Kind = Literal["single", "socket", "sentinel", "cluster"]
Node = tuple[str, int]  # host, port

_PORT, _SENTINEL_PORT = 6379, 26379
_SOCKET_PATH_BYTES = 107  # of Linux
_KINDS: dict[str, Kind] = {
    "redis": "single",
    "rediss": "single",
    "unix": "socket",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
}
SCHEMES = tuple(f"{scheme}://" for scheme in _KINDS)
ESCAPES = "write @ : / ? # % in a password as %40 %3A %2F %3F %23 %25"


@dataclass(frozen=True, slots=True, repr=False)
class RedisUrl:
    """The parts of a URL, decoded. No representation: most of it is secret."""

    kind: Kind
    tls: bool
    nodes: tuple[Node, ...] = ()  # one, but of the sentinels
    path: str = ""  # of a socket
    service: str = ""  # that sentinels are asked for
    db: int = 0
    login: Mapping[str, str] = field(default_factory=dict)  # username, password
    sentinel_login: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)  # more arguments of redis-py


def parse_redis_url(text: str) -> RedisUrl:
    """Take a URL apart and check it, as far as that is possible without the server.

    Args:
        text: `redis://[user:password@]host[:port][/db]`, `unix://[user:password@]/path`,
            `redis+cluster://[user:password@]host[:port]` or
            `redis+sentinel://[user:password@]host[:port],.../SERVICE[/db]`; with `rediss` for TLS,
            and `?option=value&...` behind it.

    Raises:
        ValueError: if it is none of these; the message has no piece of a password.
    """
    parts = _split(text.strip())
    kind, tls = _KINDS[parts.scheme], parts.scheme.startswith("rediss")
    options = read_options(parts.query, tls=tls, sentinel=kind == "sentinel")
    db_option: int | None = options.pop("db", None)
    userinfo, _, hosts = parts.netloc.rpartition("@")
    login = _login(userinfo, options)
    nodes: tuple[Node, ...] = ()
    path = service = db = ""
    sentinel_login = {
        name: options.pop(f"sentinel_{name}")
        for name in ("username", "password")
        if f"sentinel_{name}" in options
    }
    if kind == "socket":
        path = _socket_path(hosts, parts.path)
    elif kind == "sentinel":
        nodes = tuple(_node(host, _SENTINEL_PORT) for host in hosts.split(","))
        service, _, db = parts.path.strip("/").partition("/")
        service = check_printable(unquote(service), "the service of the sentinels")
        if not service:
            raise ValueError("it names no SERVICE behind the sentinels, as in host,host/SERVICE")
    elif "," in hosts:
        raise ValueError("it names several hosts; redis+sentinel:// alone takes them")
    else:
        nodes = (_node(hosts or "localhost", _PORT),)
        db = parts.path.strip("/")
    if db and db_option is not None:
        raise ValueError("the number of the database is in it twice, as path and as option db")
    number = _database(db) if db_option is None else db_option
    if kind == "cluster" and number:
        raise ValueError("a cluster has the database 0 alone")
    return RedisUrl(kind, tls, nodes, path, service, number, login, sentinel_login, options)


def _split(text: str) -> SplitResult:
    if not text.startswith(SCHEMES):
        raise ValueError(f"it must start with {', '.join(SCHEMES)}")
    check_printable(text, "it")
    if " " in text:
        raise ValueError("it has a blank in it; write it as %20")
    try:
        parts = urlsplit(text)
    except ValueError:  # not chained: it quotes what it read
        raise ValueError(
            f"its host cannot be read ({ESCAPES} [ ] as %5B %5D; an IPv6 address in [ ])"
        ) from None
    behind = parts.query if parts.scheme == "unix" else text.partition("://")[2].partition("/")[2]
    if "#" in text or "@" in behind or "@" in parts.query or "?" in parts.query:
        raise ValueError(f"it has a special character in the wrong place; {ESCAPES}")
    return parts


def _login(userinfo: str, options: dict[str, Any]) -> dict[str, str]:
    user, _, password = userinfo.partition(":")
    login = {"username": unquote(user), "password": unquote(password)}
    for name in login:
        if name in options:
            if login[name]:
                raise ValueError(f"it has a {name} before the host, and another as an option")
            login[name] = options.pop(name)
    return {name: value for name, value in login.items() if value}


def _node(text: str, default_port: int) -> Node:
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise ValueError("an IPv6 address is written in [ ], as in [::1]:6379")
        port = port.removeprefix(":")
    else:
        host, _, port = text.partition(":")
        if ":" in port:
            raise ValueError(
                f"what is behind the host is no port ({ESCAPES}; an IPv6 address in [ ])"
            )
    if not host:
        raise ValueError("it names no host")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise ValueError(f"what is behind the host is no port ({ESCAPES})")
    host = check_printable(unquote(host), "its host")
    try:
        host.encode("idna")
    except UnicodeError:  # not chained: it quotes what it read
        raise ValueError("its host is not the name of one") from None
    return host, int(port) if port else default_port


def _database(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError("its path is not the number of a database")
    return int(text or 0)


def _socket_path(host: str, path: str) -> str:
    if host or not path.strip("/"):
        raise ValueError(
            "unix:// takes the absolute path of a socket, as in unix:///run/redis.sock"
        )
    decoded = check_printable(unquote(path), "its path")
    if len(decoded.encode()) > _SOCKET_PATH_BYTES:
        raise ValueError(f"the path of a socket has at most {_SOCKET_PATH_BYTES} bytes")
    return decoded
