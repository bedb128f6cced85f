"""A real RTSP camera on loopback that plays an H.264 file and can be disturbed in many ways."""

from __future__ import annotations

import functools
import os
import queue
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

SHARED = Path(
    os.environ.get("BEHAVIOUR_STREAM_SHARED", Path(__file__).resolve().parents[2] / "shared")
)
SERVER = SHARED / "tools" / "rtsp_server.py"
PYTHON = "/usr/bin/python3"  # the one that Debian's GStreamer bindings are installed for
_PROBE = """
import gi
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstApp, GstRtspServer
Gst.init(None)
needed = ("parsebin", "qtdemux", "h264parse", "rtph264pay", "appsrc")
missing = [name for name in needed if Gst.ElementFactory.find(name) is None]
raise SystemExit(f"GStreamer has no {', '.join(missing)}" if missing else 0)
"""


@functools.cache
def missing_rtsp_server() -> str | None:
    """Return why no RTSP camera can be played on this machine; None where one can."""
    if not SERVER.is_file():
        return f"no RTSP server at {SERVER} (set BEHAVIOUR_STREAM_SHARED to its folder)"
    if not Path(PYTHON).exists():
        return f"the RTSP server needs {PYTHON}"
    probe = subprocess.run([PYTHON, "-c", _PROBE], capture_output=True, text=True, timeout=60)
    if probe.returncode == 0:
        return None
    said = probe.stderr.strip().splitlines()
    return f"no gst-rtsp-server for {PYTHON}: {said[-1] if said else probe.returncode}"


@dataclass(frozen=True)
class _Settings:
    """The settings that `restart` can change."""

    file: Path
    path: str = "/cam"
    user: str | None = None
    password: str | None = None
    push_log: Path | None = None  # lines of: index in the file, pts in ns, monotonic seconds
    per_client: bool = False  # each client starts at the first frame
    loop: bool = True  # else the stream ends with the file

    def arguments(self) -> list[str]:
        given = ["--file", str(self.file), "--path", self.path]
        for name, value in (
            ("--user", self.user),
            ("--password", self.password),
            ("--push-log", self.push_log),
        ):
            given += [] if value is None else [name, str(value)]
        given += ["--per-client"] if self.per_client else []
        given += [] if self.loop else ["--no-loop"]
        return given


class RtspCamera:
    """An RTSP server with one camera; a context manager.

    The port stays reserved until `close`, also while the server does not run.
    """

    def __init__(
        self,
        file: Path,
        path: str = "/cam",
        *,
        user: str | None = None,
        password: str | None = None,
        push_log: Path | None = None,
        per_client: bool = False,
        loop: bool = True,
        start: bool = True,
    ) -> None:
        """Start the server, or with `start=False` only reserve its port."""
        self._settings = _Settings(file, path, user, password, push_log, per_client, loop)
        # Bound and never listening: connections are refused, and no other program gets the port.
        self._reservation = socket.socket()
        self._reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reservation.bind(("127.0.0.1", 0))
        self.port: int = self._reservation.getsockname()[1]
        self._server: _Server | None = None
        if start:
            try:
                self.start()
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> RtspCamera:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The URL without user and password."""
        return f"rtsp://127.0.0.1:{self.port}{self._settings.path}"

    @property
    def running(self) -> bool:
        """Whether the server runs."""
        return self._server is not None

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._running().process.pid

    def start(self, timeout_s: float = 30.0) -> None:
        """Start a server that does not run; return once it accepts connections."""
        assert self._server is None, "the camera runs already"
        self._server = _Server(["--port", str(self.port), *self._settings.arguments()])
        try:
            ready = self._server.next_line(timeout_s)
            assert ready.startswith("READY "), ready
        except BaseException:
            self.kill()
            raise

    def command(self, line: str, timeout_s: float = 10.0) -> str:
        """Send stall, resume, kick, `switch FILE`, `swap FILE` or clients; return the reply."""
        reply = self._running().ask(line, timeout_s)
        assert not reply.startswith(("error", "unknown")), reply
        return reply

    def clients(self) -> int:
        """Return how many clients are connected."""
        return int(self.command("clients"))

    def wait_for_clients(self, count: int, timeout_s: float = 10.0) -> None:
        """Return as soon as exactly so many are connected."""
        deadline = time.monotonic() + timeout_s
        while (now := self.clients()) != count:
            assert time.monotonic() < deadline, f"{now} clients are connected, not {count}"
            time.sleep(0.02)

    def freeze(self) -> None:
        """Stop the process: the kernel still accepts connections, but no reply comes."""
        self._running().process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process continue."""
        self._running().process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process immediately, frozen or not; new connections are refused."""
        if self._server is not None:
            self._server.close()
        self._server = None

    def restart(self, **changes: object) -> None:
        """Kill the server if it still runs and start it again on the same port.

        Args:
            changes: of file, path, user, password, push_log, per_client, loop.
        """
        self.kill()
        self._settings = replace(self._settings, **changes)  # type: ignore[arg-type]
        self.start()

    def close(self) -> None:
        """End the server and release its port."""
        self.kill()
        self._reservation.close()

    def _running(self) -> _Server:
        assert self._server is not None, "the camera does not run"
        return self._server


class _Server:
    """One process of the server: commands go in by its stdin, replies come by its stdout."""

    def __init__(self, arguments: list[str]) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in close()
        self.process = subprocess.Popen(
            [PYTHON, "-u", str(SERVER), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()  # None: it has ended
        self._lock = threading.Lock()  # a reply belongs to the command before it
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def ask(self, line: str, timeout_s: float) -> str:
        assert self.process.stdin is not None
        with self._lock:
            with suppress(BrokenPipeError):  # its last output is reported below
                self.process.stdin.write(line + "\n")
            return self.next_line(timeout_s)

    def next_line(self, timeout_s: float) -> str:
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise AssertionError(f"no reply in {timeout_s} s: {self._complaints()}") from None
        assert line is not None, f"the RTSP server ended: {self._complaints()}"
        return line

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it ended before a command
            self.process.stdin.close()
        self._errors.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _complaints(self) -> str:
        self._errors.seek(0)
        return self._errors.read() or "no output"
