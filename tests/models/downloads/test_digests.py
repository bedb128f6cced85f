from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from models.downloads.digests import check_sha256, pin_sha256, pinned_sha256


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"weights")
    return path


def test_the_first_digits_of_a_digest_are_compared_as_far_as_they_go(file: Path) -> None:
    digest = hashlib.sha256(b"weights").hexdigest()
    check_sha256(file, digest)
    check_sha256(file, digest[:8])
    with pytest.raises(ValueError, match=rf"its SHA-256 is {digest}, not 00000000\.\.\.$"):
        check_sha256(file, "00000000")
    with pytest.raises(ValueError, match=rf"{digest}, not {'0' * 64}$"):
        check_sha256(file, "0" * 64)
    with pytest.raises(ValueError, match="not"):
        check_sha256(file, "")  # no digest is no agreement


def test_a_pin_is_read_again_unless_it_is_damaged(file: Path) -> None:
    assert pinned_sha256(file) is None
    assert pinned_sha256(file) is None
    digest = pin_sha256(file)
    assert pinned_sha256(file) == digest
    file.with_name("weights.pth.sha256").write_text("no digest")
    assert pinned_sha256(file) is None
