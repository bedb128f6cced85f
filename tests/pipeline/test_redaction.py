"""No secret survives, whatever the URL around it looks like."""

from __future__ import annotations

import random
import secrets
import string
import uuid
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.redaction import MASK, looks_secret, mask_source, mask_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://:secret@host:6379/0", "redis://***@host:6379/0"),
        ("rediss://user:secret@host/1?db=2", "rediss://***@host/1?db=2"),
        ("rtsp://admin:secret@10.0.0.7:554/stream1", "rtsp://***@10.0.0.7:554/stream1"),
        ("RTSP://admin:secret@10.0.0.7/", "RTSP://***@10.0.0.7/"),
        ("redis://user:a%40b%2Fc@host/0", "redis://***@host/0"),  # percent escapes
        ("redis://user:a@b@host/0", "redis://***@host/0"),  # a raw @ in the password
        ("redis://user:a/b#c?d@host/0", "redis://***@host/0"),  # raw delimiters
        ("redis://user:a b\"c'<d>@host/0", "redis://***@host/0"),  # blanks and quotes
        ("redis://secret@host", "redis://***@host"),  # a user alone can be a token
        ("redis://host/0?password=secret&db=1", "redis://host/0?password=***&db=1"),
        ("rtsp://cam/user=me&password=secret&ch=1", "rtsp://cam/user=***&password=***&ch=1"),
        ("unix:///run/redis.sock?password=secret", "unix:///run/redis.sock?password=***"),
        ("no answer from redis://u:p@h:1, retrying", "no answer from redis://***@h:1, retrying"),
        ("redis://a:b@h1 or 'rtsp://c:d@h2/x'", "redis://***@h1 or 'rtsp://***@h2/x'"),
        ("redis://a:b@h1,redis://c:d@h2", "redis://***@h1,redis://***@h2"),
    ],
)
def test_user_and_password_are_masked_and_the_rest_stays(text: str, expected: str) -> None:
    assert mask_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "redis://127.0.0.1:6379/0",
        "rtsp://cam.example/stream",
        "mail me@example.com",
        "seen 3 people at the gate",
        "",
    ],
)
def test_a_text_without_credentials_stays_as_it_is(text: str) -> None:
    assert mask_url(text) == text


@given(password=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6))
def test_any_password_without_blanks_disappears_from_a_bare_url(password: str) -> None:
    # mask_url finds several URLs where there are several "://".
    mask = mask_source if "://" in password else mask_url
    masked = mask(f"redis://user:{password}@host:6379/0")

    # With a raw delimiter the password may as well be a query with an "@" in it, whose end looks
    # like a host: then nothing is shown.
    assert masked.endswith("***@host:6379/0") or masked == "redis://***"
    assert password not in masked


_SECRET = "hunter2sEcr3t"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"rediss://h:1/0?ssl_password={_SECRET}&db=2", "rediss://h:1/0?ssl_password=***&db=2"),
        (f"http://h/mjpg?access_token={_SECRET}", "http://h/mjpg?access_token=***"),
        (f"http://h/mjpg?{_SECRET}", "http://h/mjpg?***"),
        (f"http://h/mjpg?a={_SECRET};channel=1", "http://h/mjpg?a=***;channel=1"),
        (f"http://h/mjpg#sig={_SECRET}", "http://h/mjpg#sig=***"),
        (f"http://h/mjpg#{_SECRET}", "http://h/mjpg#***"),
        (f"http://h/mjpg?channel=a{_SECRET}b1c2", "http://h/mjpg?channel=***"),
        (f"http://h/mjpg?{_SECRET}==", "http://h/mjpg?***"),
        (f"http://h/mjpg?x=a@{_SECRET}", "http://***"),  # either part may be the secret
        (f"http://h/mjpg?x={_SECRET} of a camera", "http://h/mjpg?x=***"),
        (
            f"rtsp://h/user=me_password={_SECRET}_channel=1",
            "rtsp://h/user=***_password=***_channel=1",
        ),
        (f"rtsp://h/x;token={_SECRET};channel=1", "rtsp://h/x;token=***;channel=1"),
        (f"rtmp://h/live2/{_SECRET}", "rtmp://h/live2/***"),
        (f"rtmps://h:443/rtmp/{_SECRET}/a", "rtmps://h:443/rtmp/***/***"),
        (f"rtsps://h:7441/{_SECRET}?enableSrtp", "rtsps://h:7441/***?enableSrtp"),
        (f"rtsp://h:7447/{_SECRET}", "rtsp://h:7447/***"),
        (f"http://h/live/me/{_SECRET}/12.ts", "http://h/live/***/***/12.ts"),
        (f"http://h/cam/user/me/pass/{_SECRET}/a", "http://h/cam/user/***/pass/***/a"),
        (f"http://h/admin/{_SECRET}/a.jpg", "http://h/admin/***/a.jpg"),
        (f"https://h/services/T0/B0/{_SECRET}", "https://h/services/***/***/***"),
        ("rtsp://h/3b241101-e2bb-4255-8caf-4136c566a962/a", "rtsp://h/***/a"),
        ("rtsp://admin:12/34@10.0.0.9/cam", "rtsp://***"),
    ],
)
def test_a_secret_outside_of_user_and_password_is_masked(url: str, shown: str) -> None:
    assert mask_url(url) == shown
    assert mask_source(url) == shown
    assert mask_url(shown) == shown


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://10.0.0.4:554/cam/realmonitor?channel=1&subtype=0&unicast=true&proto=Onvif",
        "rtsp://10.0.0.4/Streaming/Channels/101?transportmode=unicast&profile=Profile_1",
        "rtsp://10.0.0.4/onvif-media/media.amp?profile=quality_h264&streamtype=unicast",
        "rtsp://10.0.0.4/axis-media/media.amp?videocodec=h264&resolution=1280x720&fps=10",
        "rtsp://10.0.0.4/h264Preview_01_main",
        "rtsp://10.0.0.4/live/h264/VideoEncoder1/main.sdp",
        "rtsp://10.0.0.4/MediaInput/h264/stream_1",
        "rtsp://10.0.0.4/live1s1.sdp",
        "rtsp://nas.local:8554/garten-hinten_Sued2",
        "rtmp://10.0.0.4/bcs/channel0_main.bcs?channel=0&stream=0",
        "http://10.0.0.4/cgi-bin/snapshot.cgi?channel=1",
        "redis://h/0?db=3&socket_timeout=5.5&ssl_ca_certs=/etc/ssl/ca.pem",
        "unix:///run/user/1000/3b241101e2bb42558caf4136c566a962/redis.sock?db=1",
    ],
)
def test_what_tells_no_secret_stays_readable(url: str) -> None:
    assert mask_url(url) == url


_SHAPES = (
    "rtsp://me:pw@h/x?{name}={secret}",
    "rtsp://h/x?channel=1&{name}={secret}&subtype=0",
    "http://h:80/x;{name}={secret}?stream=1",
    "rtsp://h/x=1&{name}={secret}/y",
    "http://h/x#{name}={secret}",
    "http://h/x?{secret}",
    "http://h/pass/{secret}/x",
    "rtmp://h/app/{secret}",
    "rtsps://h:7441/{secret}",
    "redis://h:6379/0?{name}={secret}",
)


@given(
    shape=st.sampled_from(_SHAPES),
    name=st.sampled_from(["password", "ssl_password", "access_token", "jwt", "code", "p", "x-y"]),
    secret=st.text(max_size=20),
    around=st.sampled_from(["{}", "cannot open {}: refused", "'{}'", '{{"url": "{}"}}', "{},{}"]),
)
def test_any_value_disappears_wherever_it_stands(
    shape: str, name: str, secret: str, around: str
) -> None:
    marked = quote(f"Zq{secret}qZ", safe="!$'()*+,:@[]^`{|}~" if around == "{}" else "")
    url = shape.format(name=name, secret=marked)

    text = around.format(url, url)
    masked = mask_url(text)
    assert marked not in masked
    assert "qZ" not in masked
    assert mask_url(masked) == masked


@pytest.mark.parametrize(
    "text",
    ["a" * 200_000 + "://" + "b@" * 100_000, "http://h" + "/ab" * 100_000 + "/pass/word"],
    ids=["at signs", "path segments"],
)
def test_a_long_text_is_masked_in_linear_time(text: str) -> None:
    assert MASK in mask_url(text)  # in quadratic time it would not end


def test_random_keys_are_distinguished_from_words() -> None:
    rng = random.Random(7)
    letters = string.ascii_letters + string.digits

    def key(alphabet: str, length: int) -> str:
        return "".join(rng.choices(alphabet, k=length))

    makers = {
        "uuid": lambda: str(uuid.UUID(int=rng.getrandbits(128))),
        "hex32": lambda: key("0123456789abcdef", 32),
        "letters24": lambda: key(letters, 24),
        "letters16": lambda: key(letters, 16),
        "urlsafe32": lambda: secrets.token_urlsafe(32),
    }
    for name, make in makers.items():
        found = sum(looks_secret(make()) for _ in range(500))
        assert found >= 0.98 * 500, f"{name}: {found} of 500"


def test_a_source_without_a_scheme_is_masked_too() -> None:
    assert mask_source(f"me:{_SECRET}@h/x?channel=1") == "***@h/x?channel=1"
    assert mask_source(f"h/x?token={_SECRET}") == "h/x?token=***"
    assert mask_source("street.mp4?lvie&speed=2") == "street.mp4?lvie&speed=2"
    assert mask_source(f"redis://a:b://{_SECRET}@h") == "redis://***@h"
