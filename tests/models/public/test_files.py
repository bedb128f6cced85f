"""A named checkpoint is fetched once, verified every time, and never replaced if it is a user's."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from models.public.files import PublicFileError, fetch_public
from models.public.names import PUBLIC_CHECKPOINTS
from testbed.file_server import ServedFile, http_server

CONTENT = b"PK weights" * 1000
DIGITS = hashlib.sha256(CONTENT).hexdigest()[:8]
AVA = replace(PUBLIC_CHECKPOINTS["mmaction2/slowfast_r50_8x8_ava21"], sha256=DIGITS)
KINETICS = PUBLIC_CHECKPOINTS["pytorchvideo/slowfast_r50"]


def test_it_is_fetched_once_with_its_terms(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    served = ServedFile(CONTENT, cuts=[500])
    with http_server(served.answer) as url:
        checkpoint = replace(AVA, url=f"{url}/a.pth")
        file = fetch_public(checkpoint, tmp_path)
        assert fetch_public(checkpoint, tmp_path) == file
    assert file.read_bytes() == CONTENT
    assert served.ranges == ["", "bytes=500-"]
    assert "Apache-2.0" in caplog.text
    assert "CC BY 4.0" in caplog.text
    assert "verified: by the first 8 digits of its SHA-256" in caplog.text


def test_a_file_put_by_hand_is_verified_and_left_as_it_is(tmp_path: Path) -> None:
    file = AVA.file(tmp_path)
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    assert fetch_public(AVA, tmp_path) == file  # without a request
    file.write_bytes(b"something else")
    with pytest.raises(PublicFileError, match="is damaged or not mmaction2/slowfast_r50_8x8_ava21"):
        fetch_public(AVA, tmp_path)
    assert file.read_bytes() == b"something else"


def test_a_file_whose_digest_nobody_publishes_is_pinned(tmp_path: Path) -> None:
    with http_server(ServedFile(CONTENT).answer) as url:
        checkpoint = replace(KINETICS, url=f"{url}/a.pyth")
        file = fetch_public(checkpoint, tmp_path)
        file.write_bytes(CONTENT[1:])
        with pytest.raises(PublicFileError, match=r"its SHA-256 is .* is left as it is"):
            fetch_public(checkpoint, tmp_path)
        file.unlink()
        assert fetch_public(checkpoint, tmp_path).read_bytes() == CONTENT
    file.unlink()
    with (
        http_server(ServedFile(b"PK of another day").answer) as url,
        pytest.raises(PublicFileError, match="its SHA-256 is"),
    ):
        fetch_public(replace(KINETICS, url=f"{url}/a.pyth"), tmp_path)
    assert not file.exists()


def test_without_internet_the_address_and_the_place_are_named(tmp_path: Path) -> None:
    checkpoint = replace(AVA, url="http://127.0.0.1:1/a.pth")
    place = re.escape(f"save http://127.0.0.1:1/a.pth as {AVA.file(tmp_path)}")
    with pytest.raises(PublicFileError, match=rf"fetched: \[Errno \d+\] .*refused\. .* {place}$"):
        fetch_public(checkpoint, tmp_path)
    assert not list(AVA.file(tmp_path).parent.iterdir())
