"""A URL is read as it was meant, or refused without a piece of its password."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.schema import load_config
from pipeline.errors import ConfigError
from pipeline.redis_store.url import SCHEMES, RedisUrl, parse_redis_url
from testbed.certificates import make_certificate
from tests.conftest import REPOSITORY


def parts(url: str) -> dict[str, Any]:
    """What differs from the defaults, besides the kind."""
    parsed, default = parse_redis_url(url), RedisUrl("single", False)
    return {
        name: value
        for name in RedisUrl.__slots__
        if (value := getattr(parsed, name)) != getattr(default, name)
    }


def test_urls_of_single_servers_sentinels_and_clusters_are_known() -> None:
    assert {"redis://", "rediss://", "redis+sentinel://", "redis+cluster://"} <= set(SCHEMES)


def test_the_configuration_checks_a_url_without_the_client_of_redis() -> None:
    code = "import sys, pipeline.config.delivery; print('redis' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host", {"nodes": (("host", 6379),)}),
        ("redis://", {"nodes": (("localhost", 6379),)}),
        ("redis:///2", {"nodes": (("localhost", 6379),), "db": 2}),
        ("redis://host:1/3", {"nodes": (("host", 1),), "db": 3}),
        ("redis://host?db=3", {"nodes": (("host", 6379),), "db": 3}),
        (" redis://host\n", {"nodes": (("host", 6379),)}),  # of a file with a line in it
        ("redis://[::1]:1/0", {"nodes": (("::1", 1),)}),
        ("redis://[fe80::1%25eth0]", {"nodes": (("fe80::1%eth0", 6379),)}),
        ("rediss://host", {"nodes": (("host", 6379),), "tls": True}),
        ("redis://:p%40s%23@host", {"nodes": (("host", 6379),), "login": {"password": "p@s#"}}),
        (
            "redis://me:a:b@c@host",
            {"nodes": (("host", 6379),), "login": {"username": "me", "password": "a:b@c"}},
        ),
        (
            "redis://host?username=me&password=a%26b",
            {"nodes": (("host", 6379),), "login": {"username": "me", "password": "a&b"}},
        ),
        ("unix:///run/a%20b@c.sock?db=2", {"kind": "socket", "path": "/run/a b@c.sock", "db": 2}),
        (
            "unix://me:pw@/run/redis.sock",
            {
                "kind": "socket",
                "path": "/run/redis.sock",
                "login": {"username": "me", "password": "pw"},
            },
        ),
        ("redis+cluster://host:1", {"kind": "cluster", "nodes": (("host", 1),)}),
        ("rediss+cluster://host:1/0", {"kind": "cluster", "nodes": (("host", 1),), "tls": True}),
        (
            "redis+sentinel://me:pw@one,[::1],[::2]:5,two:6/the%20service/3"
            "?sentinel_username=you&sentinel_password=other",
            {
                "kind": "sentinel",
                "nodes": (("one", 26379), ("::1", 26379), ("::2", 5), ("two", 6)),
                "service": "the service",
                "db": 3,
                "login": {"username": "me", "password": "pw"},
                "sentinel_login": {"username": "you", "password": "other"},
            },
        ),
        (
            "redis://host?client_name=gate-1&socket_keepalive=no",
            {
                "nodes": (("host", 6379),),
                "options": {"client_name": "gate-1", "socket_keepalive": False},
            },
        ),
    ],
)
def test_a_url_is_taken_apart(url: str, expected: dict[str, Any]) -> None:
    assert parts(url) == expected


def test_what_belongs_to_tls(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    url = (
        f"rediss://host?ssl_ca_certs={certificate}&ssl_ca_path={tmp_path}&ssl_cert_reqs=optional"
        f"&ssl_certfile={certificate}&ssl_keyfile={key}"
        "&ssl_check_hostname=False&ssl_min_version=771&ssl_ciphers=ECDHE%2BAESGCM"
    )
    assert parse_redis_url(url).options == {
        "ssl_ca_certs": str(certificate),
        "ssl_ca_path": str(tmp_path),
        "ssl_certfile": str(certificate),
        "ssl_keyfile": str(key),
        "ssl_cert_reqs": "optional",
        "ssl_check_hostname": False,
        "ssl_min_version": ssl.TLSVersion.TLSv1_2,
        "ssl_ciphers": "ECDHE+AESGCM",
    }


def test_certificates_that_cannot_be_loaded_are_named_at_once(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    certificate, key, locked = (
        tmp_path / name for name in ("certificate.pem", "key.pem", "locked.pem")
    )
    lock = ["openssl", "ec", "-aes256", "-in", key, "-out", locked, "-passout", "pass:hunter2"]
    subprocess.run(lock, check=True, capture_output=True)
    good = f"rediss://host?ssl_certfile={certificate}&ssl_keyfile={locked}"
    assert parse_redis_url(f"{good}&ssl_password=hunter2").options["ssl_password"] == "hunter2"
    for query in (
        f"ssl_certfile={certificate}&ssl_keyfile={locked}&ssl_password=24680",
        f"ssl_certfile={certificate}&ssl_keyfile={locked}",  # OpenSSL would ask the terminal
        f"ssl_certfile={certificate}",
        f"ssl_keyfile={key}",
        f"ssl_ca_certs={key}",
        "ssl_ca_data=24680",
    ):
        with pytest.raises(ValueError, match=r"ssl_(certfile|ca_)") as failure:
            parse_redis_url(f"rediss://host?{query}")
        assert "24680" not in str(failure.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://host", "must start with redis://"),
        ("redis:/host", "must start with redis://"),
        ("redis://me:24680#Zx9@host:6379/0", "write @ : / \\? # % in a password as %40"),
        ("redis://me:246/80@host", "special character"),
        ("redis://me:246?80@host", "special character"),
        ("redis://me:24680host:6379", "IPv6"),
        ("redis://me:Zx9host", "no port"),
        ("redis://:24680", "names no host"),
        ("redis://host:0", "no port"),
        ("redis://host:" + "9" * 5000, "no port"),
        ("redis://me:a[b@host", "host cannot be read"),
        ("redis://::1", "IPv6"),
        ("redis://[::1]x", "host cannot be read|IPv6"),
        ("redis://a..b", "not the name of one"),
        ("redis://ho%00st", "control character"),
        ("redis://me:pw\udcff@host", "not UTF-8"),
        ("redis://me:p w@host", "blank"),
        ("redis://me:p\nw@host", "control character"),
        ("redis://host/events", "not the number of a database"),
        ("redis://host/0/1", "not the number of a database"),
        ("redis://host/-1", "not the number of a database"),
        ("redis://host/1?db=2", "twice"),
        ("redis://host?db=x", "option db is not the number"),
        ("redis://host?db=", "option db has no value"),
        ("redis://host?password=a&password=b", "option password is given twice"),
        ("redis://me:pw@host?password=a", "another as an option"),
        ("unix://run/redis.sock", "absolute path"),
        ("unix:///", "absolute path"),
        (f"unix:///{'x' * 200}", "at most 107 bytes"),
        ("redis+sentinel://host", "names no SERVICE"),
        ("redis+sentinel://host,/service", "names no host"),
        ("redis+sentinel:///service", "names no host"),
        ("redis+cluster://host/1", "database 0"),
        ("redis+cluster://one,two", "several hosts"),
        ("redis://host?sentinel_password=x", "redis\\+sentinel:// alone"),
        ("redis://host?ssl_cert_reqs=none", "needs TLS"),
        ("rediss://host?ssl_cert_reqs=never", "none of none, optional, required"),
        ("rediss://host?ssl_check_hostname=maybe", "neither true nor false"),
        ("rediss://host?ssl_min_version=1.2", "771"),
        ("rediss://host?ssl_ciphers=nonsense", "ciphers"),
        ("rediss://host?ssl_ca_certs=/not/there.pem", "ssl_ca_certs: cannot read the file"),
        ("rediss://host?ssl_ca_path=/not/there", "not a folder"),
        ("redis://host?client_name=two%20words", "without blanks"),
        ("rediss://host?ssl_cert_req=none", "did you mean ssl_cert_reqs"),
        ("redis://host?nonsense=1", "option nonsense is unknown; there are db"),
        ("redis://host?24680", "an option is unknown; there are db"),
        ("redis://host?password=Zx9?x=24680", "special character"),
        ("redis://host?password=Zx9&24680", "behind option password .* %26"),
        ("redis://host?password=Zx9&hunter2=1", "behind option password .* %26"),
    ],
)
def test_what_is_no_url_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as failure:
        parse_redis_url(url)
    assert failure.value.__cause__ is None
    assert "\n" not in str(failure.value)
    for piece in ("24680", "Zx9", "hunter2", "pw", "host:6379"):
        assert piece not in str(failure.value)


@pytest.mark.parametrize(
    "option",
    [
        "protocol=3",
        "decode_responses=yes",
        "encoding=utf-16",
        "socket_timeout=0.01",
        "socket_connect_timeout=1",
        "timeout=20",
        "retry_on_timeout=yes",
        "retry_on_error=x",
        "retry=3",
        "health_check_interval=1",
        "max_connections=1",
        "legacy_responses=no",
        "host=other",
    ],
)
@pytest.mark.parametrize("url", ["redis://h", "redis+sentinel://h/s", "redis+cluster://h"])
def test_an_option_on_which_we_rely_is_refused_by_its_name(url: str, option: str) -> None:
    name = option.partition("=")[0]
    with pytest.raises(ValueError, match=rf"^option {name} cannot be set"):
        parse_redis_url(f"{url}?{option}")


def test_the_configuration_refuses_it_before_anything_runs() -> None:
    with pytest.raises(ConfigError) as failure:
        load_config(None, ["redis.url='redis://me:24680#Zx9@host:6379/0'"])
    text = str(failure.value)
    assert text.startswith("redis: url is no Redis URL: it has a special character")
    assert "24680" not in text
    assert "Zx9" not in text


@pytest.mark.parametrize(
    "written", ["redis.url=${REDIS_URL}", "redis.url=redis://me:${PASSWORD}@host:6379/0"]
)
def test_the_reason_is_said_of_a_variable_too(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "24680#Zx9")
    monkeypatch.setenv("REDIS_URL", "redis://me:24680#Zx9@host:6379/0")
    with pytest.raises(ConfigError, match=r"^redis: url is no Redis URL: .* %23") as failure:
        load_config(None, [written])
    assert "24680" not in str(failure.value)
    assert "Zx9" not in str(failure.value)


PIECES = st.lists(
    st.sampled_from(["S3cr", "24680", "#", "?", "/", ":", "@", "%", "&", "=", "[", "]", "+", " "]),
    min_size=1,
    max_size=7,
).map("".join)
PLACES = st.sampled_from(
    [
        "redis://user:{}@db.example:6379/0",
        "redis://:{}@db.example",
        "redis://{}@db.example",
        "redis://db.example?password={}",
        "redis://db.example?password={}&client_name=x",
        "rediss://db.example?ssl_password={}&ssl_cert_reqs=none",
        "unix://user:{}@/run/redis.sock",
        "unix:///run/redis.sock?password={}",
        "redis+sentinel://user:{}@db.example,[::1]:5/service",
        "redis+sentinel://db.example/service?sentinel_password={}",
        "redis+cluster://user:{}@db.example:6379",
    ]
)


@settings(max_examples=400, deadline=None)
@given(PIECES, PLACES)
def test_no_piece_of_a_password_is_in_a_reason_nor_taken_for_something_else(
    password: str, place: str
) -> None:
    try:
        parsed = parse_redis_url(place.format(password))
    except ValueError as error:
        assert "S3cr" not in str(error)
        assert "24680" not in str(error)
        return
    assert all("S3cr" not in host and "24680" not in host for host, _ in parsed.nodes)
    assert all(port != 24680 for _, port in parsed.nodes)
    assert "S3cr" not in parsed.path + parsed.service + str(parsed.options.get("client_name"))
    assert "S3cr" not in repr(parsed)
