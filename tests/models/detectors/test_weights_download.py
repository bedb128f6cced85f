"""Fetching weights, against servers of our own that serve, hang, refuse and lie."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from models.detectors.ultralytics_import import import_ultralytics
from models.detectors.weights_download import find_or_fetch_weights, is_official

WEIGHTS = bytes(range(256)) * 1000
FetchLog = pytest.LogCaptureFixture


@contextmanager
def http_server(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server on loopback that answers every GET with `answer`; yields its base URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *args: object) -> None:
            """Nothing on the terminal."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def send(handler: http.server.BaseHTTPRequestHandler, body: bytes, announced: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(announced))
    handler.end_headers()
    handler.wfile.write(body)


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
