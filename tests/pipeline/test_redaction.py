"""No user and no password survives, whatever the URL around them looks like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.redaction import mask_url


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
    masked = mask_url(f"redis://user:{password}@host:6379/0")

    assert masked.endswith("***@host:6379/0")
    assert password not in masked
