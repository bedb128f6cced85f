"""Downloads that are cut, hang, change or lie; the detectors' tests have the rest."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.downloads.fetch import FetchLimits, fetch
from testbed.file_server import Handler, ServedFile, http_server, send
from tests.conftest import REPOSITORY

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LIMITS = FetchLimits(decide_s=60.0, limit_s=60.0, stall_s=60.0, max_bytes=len(CONTENT))


def get(url: str, folder: Path, sha256: str | None = SHA256[:8]) -> str | None:
    return fetch(f"{url}/file", folder / "file", sha256, LIMITS, resume=True)


def test_a_cut_download_continues_where_it_ended(tmp_path: Path) -> None:
    served = ServedFile(CONTENT, cuts=[100_000, 50_000])
    with http_server(served.answer) as url:
        assert get(url, tmp_path) is None
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert served.ranges == ["", "bytes=100000-", "bytes=150000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_has_arrived_is_kept_for_the_next_run(tmp_path: Path) -> None:
    served = ServedFile(CONTENT, cuts=[100_000] + 10 * [0])
    with http_server(served.answer) as url:
        reason = get(url, tmp_path)
        assert reason is not None
        assert "got 100000 bytes of 256000" in reason
        assert "0.1 MB are kept, and the next try continues" in reason
        assert not (tmp_path / "file").exists()
        served.cuts.clear()
        assert get(url, tmp_path) is None
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert served.ranges[-1] == "bytes=100000-"


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(tmp_path: Path) -> None:
    served = ServedFile(b"an older version" * 1000, etag='"v0"', cuts=[100] + 10 * [0])
    with http_server(served.answer) as url:
        assert get(url, tmp_path) is not None
        served.content, served.etag = CONTENT, '"v1"'
        served.cuts.clear()
        assert get(url, tmp_path) is None
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_without_a_version_nothing_is_continued(tmp_path: Path) -> None:
    served = ServedFile(CONTENT, etag="", cuts=[100])
    with http_server(served.answer) as url:
        assert get(url, tmp_path) is None
    assert served.ranges == ["", ""]


def test_a_part_that_was_complete_is_put_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    (tmp_path / "file.part.etag").write_text('"v1"')
    served = ServedFile(CONTENT)
    with http_server(served.answer) as url:
        assert get(url, tmp_path) is None
    assert served.ranges == ["bytes=256000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_another_file_is_not_kept_and_not_continued(tmp_path: Path) -> None:
    forged = b"x" + CONTENT[1:]
    with http_server(ServedFile(forged).answer) as url:
        reason = get(url, tmp_path)
    digest = hashlib.sha256(forged).hexdigest()
    assert reason == f"its SHA-256 is {digest}, not {SHA256[:8]}..."
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_web_page_is_not_taken_for_the_file(tmp_path: Path, kind: str) -> None:
    page = b"<!doctype html><title>Please log in</title>"
    with http_server(lambda handler: send(handler, page, len(page), Content_Type=kind)) as url:
        reason = get(url, tmp_path, sha256=None)
    assert reason is not None
    assert "a web page instead of the file" in reason
    assert not list(tmp_path.iterdir())


def test_a_file_larger_than_it_can_be_is_refused_before_it_is_fetched(tmp_path: Path) -> None:
    with http_server(lambda handler: send(handler, b"", 10**12)) as url:
        reason = get(url, tmp_path)
    assert reason is not None
    assert "it has 1000000.0 MB, more than the 0.3 MB it can have" in reason
    assert not list(tmp_path.iterdir())


def test_a_missing_file_is_asked_for_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def refuse(handler: Handler) -> None:
        asked.append(handler.path)
        handler.send_error(404, "gone")

    with http_server(refuse) as url:
        reason = get(url, tmp_path)
    assert reason is not None
    assert "404: gone" in reason
    assert asked == ["/file"]
    assert not list(tmp_path.iterdir())


def test_a_body_of_unknown_length_is_refused(tmp_path: Path) -> None:
    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(CONTENT)

    with http_server(answer) as url:
        reason = get(url, tmp_path)
    assert reason is not None
    assert "does not state how long" in reason


def test_a_connection_that_stalls_is_left_and_its_bytes_are_kept(tmp_path: Path) -> None:
    over = threading.Event()

    def stall(handler: Handler) -> None:
        send(handler, CONTENT[:1000], len(CONTENT), ETag='"v1"')
        handler.wfile.flush()
        over.wait(60)

    limits = FetchLimits(decide_s=60.0, limit_s=2.0, max_bytes=len(CONTENT))
    with http_server(stall) as url:
        try:
            reason = fetch(f"{url}/file", tmp_path / "file", None, limits, resume=True)
        finally:
            over.set()
    assert reason is not None
    assert "too long" in reason
    assert not (tmp_path / "file").exists()


def test_two_that_want_one_file_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part, target = tmp_path / "file.part", tmp_path / "file"
    served = ServedFile(CONTENT)
    with http_server(served.answer) as url, part.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        limits = FetchLimits(decide_s=60.0, limit_s=0.5)
        reason = fetch(f"{url}/file", target, None, limits, resume=True)
        assert reason == "another process is still fetching it"
        waits, results = threading.Event(), list[str | None]()

        def sleep(seconds: float) -> None:
            waits.set()
            time.sleep(seconds)

        clock = SimpleNamespace(monotonic=time.monotonic, sleep=sleep)
        monkeypatch.setattr("models.downloads.fetch.time", clock)
        waiting = threading.Thread(target=lambda: results.append(get(url, tmp_path)))
        waiting.start()
        assert waits.wait(60)
        part.write_bytes(CONTENT)
        part.replace(target)  # the other has finished
        fcntl.flock(other, fcntl.LOCK_UN)
        waiting.join(60)
    assert results == [None]
    assert target.read_bytes() == CONTENT
    assert not served.ranges
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_download_whose_parent_was_killed_is_not_written_by_two(tmp_path: Path) -> None:
    over, part = threading.Event(), tmp_path / "file.part"
    served = ServedFile(CONTENT)

    def answer(handler: Handler) -> None:
        if served.ranges or "Range" in handler.headers:
            served.answer(handler)
            return
        served.ranges.append("")
        send(handler, CONTENT[:1000], len(CONTENT), ETag=served.etag)
        handler.wfile.flush()
        over.wait(60)
        handler.wfile.write(CONTENT[1000:])

    with http_server(answer) as url:
        program = (
            "from pathlib import Path; from models.downloads.fetch import FetchLimits, fetch; "
            f"fetch({url + '/file'!r}, Path({str(tmp_path / 'file')!r}), None, "
            "FetchLimits(decide_s=60, limit_s=60), resume=True)"
        )
        parent = subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY)
        try:
            end = time.monotonic() + 60
            while not served.ranges and time.monotonic() < end:
                time.sleep(0.02)
        finally:
            parent.kill()
            parent.wait()
        with part.open("ab") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        over.set()
        assert get(url, tmp_path) is None
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert served.ranges == ["", f"bytes={len(CONTENT)}-"]


def test_the_proxy_of_the_environment_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(handler: Handler) -> None:
        asked.append(handler.path)
        send(handler, CONTENT, len(CONTENT))

    with http_server(answer) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("no_proxy", "")
        assert get("http://files.invalid", tmp_path) is None
    assert asked == ["http://files.invalid/file"]


def test_the_progress_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.downloads.fetch._PROGRESS_S", 0.05)
    reported, seen = threading.Event(), []

    def answer(handler: Handler) -> None:
        send(handler, CONTENT[:1000], len(CONTENT), ETag='"v1"')
        handler.wfile.flush()
        reported.wait(60)
        handler.wfile.write(CONTENT[1000:])

    def progress(done: int, total: int) -> None:
        seen.append((done, total))
        reported.set()

    with http_server(answer) as url:
        target = tmp_path / "file"
        assert fetch(f"{url}/f", target, None, LIMITS, resume=True, progress=progress) is None
    assert seen[0][1] == len(CONTENT)


def test_a_folder_that_cannot_be_made_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    reason = fetch("http://127.0.0.1:1/f", tmp_path / "cache/file", None, LIMITS)
    assert reason is not None
    assert "cache" in reason
