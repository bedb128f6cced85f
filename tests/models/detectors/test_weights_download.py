"""Fetching weights, against servers of our own that serve, hang, refuse and lie."""

from __future__ import annotations

import hashlib
import http.server
import re
import socket
import threading
import time
from pathlib import Path

import pytest

from models.detectors import official_weights
from models.detectors.official_weights import SHA256, is_official
from models.detectors.ultralytics_import import import_ultralytics
from models.detectors.weights_download import find_or_fetch_weights
from testbed.file_server import http_server, send

WEIGHTS = bytes(range(256)) * 1000
SHA256_OF_WEIGHTS = hashlib.sha256(WEIGHTS).hexdigest()
FetchLog = pytest.LogCaptureFixture


def fetch(base_url: str, cache: Path, decide_s: float = 20.0, limit_s: float = 30.0) -> Path | None:
    return find_or_fetch_weights(
        "yolo11n.pt",
        directories=(),
        cache_dir=cache,
        decide_s=decide_s,
        limit_s=limit_s,
        base_url=base_url,
    )


@pytest.fixture(autouse=True)
def capture_reasons(caplog: FetchLog) -> None:
    caplog.set_level("INFO", "models.detectors.weights_download")


@pytest.fixture(autouse=True)
def official_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these servers serve is what the release has."""
    monkeypatch.setitem(official_weights.SHA256, "yolo11n.pt", SHA256_OF_WEIGHTS)


def test_official_weights_are_fetched_once_and_kept(tmp_path: Path) -> None:
    requests: list[str] = []

    def serve(handler: http.server.BaseHTTPRequestHandler) -> None:
        requests.append(handler.path)
        send(handler, WEIGHTS, len(WEIGHTS))

    with http_server(serve) as url:
        first, second = fetch(url, tmp_path / "cache"), fetch(url, tmp_path / "cache")
    assert first == second == tmp_path / "cache/yolo11n.pt"
    assert first.read_bytes() == WEIGHTS
    assert requests == ["/yolo11n.pt"]
    assert list(first.parent.iterdir()) == [first], "a .part file is left"


def test_a_relative_cache_is_relative_to_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with http_server(lambda handler: send(handler, WEIGHTS, len(WEIGHTS))) as url:
        assert fetch(url, Path("cache")) == Path("cache/yolo11n.pt")
    assert (tmp_path / "cache/yolo11n.pt").read_bytes() == WEIGHTS


def test_the_download_from_a_silent_server_is_abandoned_in_time(
    tmp_path: Path, caplog: FetchLog
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent_server:
        url = f"http://127.0.0.1:{silent_server.getsockname()[1]}"
        started = time.monotonic()
        assert fetch(url, tmp_path, decide_s=1.0) is None
    assert time.monotonic() - started < 10
    assert "no answer within 1 s" in caplog.text
    assert not list(tmp_path.iterdir())


def test_a_server_that_stops_halfway_is_given_up_in_time(tmp_path: Path, caplog: FetchLog) -> None:
    over = threading.Event()

    def stall(handler: http.server.BaseHTTPRequestHandler) -> None:
        send(handler, WEIGHTS[:1000], len(WEIGHTS))
        handler.wfile.flush()
        over.wait(30)

    with http_server(stall) as url:
        try:
            assert fetch(url, tmp_path, limit_s=3.0) is None
        finally:
            over.set()
    assert "took too long" in caplog.text
    assert not list(tmp_path.iterdir())


def test_a_truncated_body_is_not_kept(tmp_path: Path, caplog: FetchLog) -> None:
    with http_server(lambda handler: send(handler, WEIGHTS[:1000], len(WEIGHTS))) as url:
        assert fetch(url, tmp_path) is None
    assert "got 1000 bytes of 256000" in caplog.text
    assert not list(tmp_path.iterdir())


def test_an_answer_without_content_is_not_kept(tmp_path: Path) -> None:
    with http_server(lambda handler: send(handler, b"", 0)) as url:
        assert fetch(url, tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_a_refusal_is_reported_in_the_words_of_the_server(tmp_path: Path, caplog: FetchLog) -> None:
    with http_server(lambda handler: handler.send_error(404, "no such release")) as url:
        assert fetch(url, tmp_path) is None
    assert "404: no such release" in caplog.text


def test_a_closed_port_gives_nothing(tmp_path: Path, caplog: FetchLog) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert fetch(f"http://127.0.0.1:{port}", tmp_path) is None
    assert "Connection refused" in caplog.text


def test_other_bytes_under_an_official_name_are_not_kept(tmp_path: Path, caplog: FetchLog) -> None:
    forged = WEIGHTS[:-1] + b"!"
    with http_server(lambda handler: send(handler, forged, len(forged))) as url:
        assert fetch(url, tmp_path) is None
    assert f"its SHA-256 is {hashlib.sha256(forged).hexdigest()}, not " in caplog.text
    assert not list(tmp_path.iterdir())


def test_a_cached_file_that_was_damaged_is_fetched_again(tmp_path: Path, caplog: FetchLog) -> None:
    cached = tmp_path / "yolo11n.pt"
    cached.write_bytes(WEIGHTS[:500])
    with http_server(lambda handler: send(handler, WEIGHTS, len(WEIGHTS))) as url:
        assert fetch(url, tmp_path) == cached
    assert cached.read_bytes() == WEIGHTS
    assert f"{cached} is damaged or not the official file" in caplog.text


def test_weights_of_unknown_digest_are_pinned_by_the_first_download(
    tmp_path: Path, caplog: FetchLog
) -> None:
    served = [WEIGHTS, b"something else", WEIGHTS]

    def serve(handler: http.server.BaseHTTPRequestHandler) -> None:
        body = served.pop(0)
        send(handler, body, len(body))

    with http_server(serve) as url:

        def start() -> Path | None:
            return find_or_fetch_weights(
                "yolov5nu.pt", directories=(), cache_dir=tmp_path, base_url=url
            )

        first = start()
        assert first == tmp_path / "yolov5nu.pt"
        assert SHA256_OF_WEIGHTS in caplog.text
        pin = tmp_path / "yolov5nu.pt.sha256"
        assert pin.read_text() == f"{SHA256_OF_WEIGHTS}  yolov5nu.pt\n"
        assert start() == first  # without a request
        first.write_bytes(b"damaged")
        assert start() is None  # the server has changed
        assert start() == first
    assert first.read_bytes() == WEIGHTS


@pytest.mark.parametrize("pin", ["", "no digest\n", "\0\n", "ab" * 31])
def test_a_pin_that_is_no_digest_is_written_again(tmp_path: Path, pin: str) -> None:
    (tmp_path / "yolov5nu.pt").write_bytes(WEIGHTS)
    (tmp_path / "yolov5nu.pt.sha256").write_text(pin)
    found = find_or_fetch_weights("yolov5nu.pt", directories=(), cache_dir=tmp_path)
    assert found == tmp_path / "yolov5nu.pt"
    assert SHA256_OF_WEIGHTS in (tmp_path / "yolov5nu.pt.sha256").read_text()


def test_a_folder_in_the_place_of_a_cached_file_is_reported(
    tmp_path: Path, caplog: FetchLog
) -> None:
    (tmp_path / "yolo11n.pt").mkdir()
    with http_server(lambda handler: send(handler, WEIGHTS, len(WEIGHTS))) as url:
        assert fetch(url, tmp_path) is None
    assert "yolo11n.pt could not be fetched: " in caplog.text
    assert "directory" in caplog.text


def test_a_configured_digest_holds_for_any_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine.pt"
    mine.write_bytes(WEIGHTS)

    def find(path: Path, sha256: str) -> Path | None:
        return find_or_fetch_weights(str(path), directories=(), cache_dir=tmp_path, sha256=sha256)

    assert find(mine, SHA256_OF_WEIGHTS) == mine
    with pytest.raises(ValueError, match=rf"mine\.pt: its SHA-256 is {SHA256_OF_WEIGHTS}, not 00"):
        find(mine, "0" * 64)
    with pytest.raises(ValueError, match="is a folder"):
        find(tmp_path, SHA256_OF_WEIGHTS)


def test_known_digests_are_of_official_names() -> None:
    assert all(is_official(name) for name in SHA256)
    assert len({*SHA256.values()}) == len(SHA256)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in SHA256.values())


def test_an_existing_path_wins_over_a_download(tmp_path: Path) -> None:
    mine = tmp_path / "yolo11n.pt"
    mine.write_bytes(b"mine")
    found = find_or_fetch_weights(
        "yolo11n.pt", directories=[tmp_path], cache_dir=tmp_path / "cache", base_url="http://[::]:1"
    )
    assert found == mine


@pytest.mark.parametrize(
    "weights", ["models/yolo11n.pt", "my_own.pt", "yolo11q.pt", "yolo11n.onnx"]
)
def test_a_path_that_is_not_there_is_an_error_that_names_it(weights: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=weights.replace(".", r"\.")):
        find_or_fetch_weights(weights, directories=[tmp_path], cache_dir=tmp_path)


def test_ultralytics_knows_every_kind_of_official_name() -> None:
    import_ultralytics()
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

    known = {name for name in GITHUB_ASSETS_NAMES if is_official(name)}
    assert {"yolo11n.pt", "yolov8x.pt", "yolo26s.pt", "yolov5n6u.pt"} <= known
    assert not any("-" in name for name in known), "segmentation, pose and so on detect no boxes"
