"""Text in a known encoding is read, any other is named by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.checkpoints.text_files import read_text

TEXT = "path,label\na.mp4,gehen\nb.mp4,übergeben 握手\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_read_with_its_mark(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(TEXT.encode(encoding))
    assert read_text(tmp_path / "a") == TEXT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\nb\nwälk\n".encode("latin-1"), r"a:3: is not UTF-8 \(byte 0xe4\); save .* as UTF-8"),
        ("a\nb\n握手\n".encode("gbk"), "a:3: is not UTF-8"),
        ("a\nb\n".encode("utf-16-le"), "a:1: has a NUL"),
        ("a\nb\n".encode("utf-16")[:-1], "is not UTF-16-LE"),
        (b"a\n" * 100_000 + b"\xff\n", "a:100001: is not UTF-8"),
        (b"\x89PNG\r\n", "a:1: is not UTF-8"),
    ],
)
def test_another_encoding_is_named_by_line(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_text(tmp_path / "a")
