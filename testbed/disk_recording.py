"""Record what a program writes and syncs, and make every state a power cut may leave of it.

Recorded with strace: it sees the system calls of the real program, where a VFS of SQLite (apsw)
would bring another copy of SQLite than the one of Python, and a library to preload a compiler.
Model: what a file had at its newest completed sync is there; of what was written later, every
4096-byte block of every write may be there or not, in any order. Names appear and disappear in
order, and are certain after a sync of their folder.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_CALLS = "openat,pwrite64,write,fsync,fdatasync,ftruncate,unlink,unlinkat"
_LINE = re.compile(r"^(?:\d+ +)?(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
_FD = re.compile(r"^\d+<(?P<path>(?:\\x[0-9a-f]{2})+)>")
_TEXT = re.compile(r'"(?P<text>(?:\\x[0-9a-f]{2})*)"')
_BLOCK = 4096

Kind = Literal["create", "write", "truncate", "sync", "unlink", "mark"]
Amount = Literal["nothing", "everything", "some"]


@dataclass(frozen=True, slots=True)
class DiskOperation:
    """One change of the file system, or a mark of the program."""

    kind: Kind
    name: str  # of the file in the folder; "" for the folder itself; the text of a mark
    offset: int = 0  # of a write; size of a truncate
    data: bytes = b""


def can_record() -> bool:
    """Return whether strace is installed and may trace here."""
    if shutil.which("strace") is None:
        return False
    return (
        subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode == 0
    )


def record(code: str, folder: Path) -> list[DiskOperation]:
    """Run a Python program and return what it does to the files of a folder, in order.

    Args:
        code: of the program, which uses one thread. `os.write(MARKS, b"text")` sets a mark.
        folder: the first argument of the program; it must exist.

    Raises:
        subprocess.CalledProcessError: if the program fails.
    """
    output, marks = folder.parent / "strace", folder.parent / "marks"
    program = f"import os\nMARKS = os.open({str(marks)!r}, os.O_WRONLY | os.O_CREAT)\n{code}"
    command = ["strace", "-y", "-xx", "-s", "1000000", "-e", f"trace={_CALLS}", "-o", str(output)]
    subprocess.run([*command, sys.executable, "-c", program, str(folder)], check=True)
    reader = _TraceReader(folder, marks)
    with output.open() as lines:
        return [one for line in lines for one in reader.read(line)]


class _TraceReader:
    """Reads the lines of strace that are about one folder."""

    def __init__(self, folder: Path, marks: Path) -> None:
        self._folder, self._marks = folder, marks
        self._sizes: dict[str, int] = {}

    def read(self, line: str) -> Iterator[DiskOperation]:
        found = _LINE.match(line)
        if found is None or int(found["result"]) < 0:
            return
        call, arguments = found["call"], found["arguments"]
        if call in ("openat", "unlink", "unlinkat"):
            path = Path(_bytes(_TEXT.findall(arguments)[0]).decode())
            if path.parent == self._folder:
                yield from self._of_name(call, path.name, arguments)
        elif opened := _FD.match(arguments):
            path = Path(_bytes(opened["path"]).decode(errors="replace"))
            if path == self._marks:
                yield DiskOperation("mark", _bytes(_TEXT.findall(arguments)[0]).decode())
            elif path == self._folder and call == "fsync":
                yield DiskOperation("sync", "")
            elif path.parent == self._folder:
                yield self._of_file(call, path.name, arguments, int(found["result"]))

    def _of_name(self, call: str, name: str, arguments: str) -> Iterator[DiskOperation]:
        if call != "openat":
            self._sizes.pop(name, None)
            yield DiskOperation("unlink", name)
        elif "O_CREAT" in arguments and name not in self._sizes:
            self._sizes[name] = 0
            yield DiskOperation("create", name)
        if "O_TRUNC" in arguments:
            self._sizes[name] = 0
            yield DiskOperation("truncate", name)

    def _of_file(self, call: str, name: str, arguments: str, result: int) -> DiskOperation:
        if call in ("fsync", "fdatasync"):
            return DiskOperation("sync", name)
        last = arguments.rpartition(",")[2]
        if call == "ftruncate":
            self._sizes[name] = int(last)
            return DiskOperation("truncate", name, int(last))
        data = _bytes(_TEXT.findall(arguments)[0])[:result]
        # Our programs call `write` for files that they only append to.
        offset = int(last) if call == "pwrite64" else self._sizes.get(name, 0)
        self._sizes[name] = max(self._sizes.get(name, 0), offset + len(data))
        return DiskOperation("write", name, offset, data)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def state_after(
    operations: Sequence[DiskOperation], amount: Amount, rng: random.Random
) -> dict[str, bytes]:
    """Return the files that a power cut leaves after some operations.

    Args:
        operations: all that were begun; the last sync of each file had ended.
        amount: what is there of the writes after the last sync of their file.
        rng: selects the blocks of "some", and the names.
    """
    names_synced = max(
        (at for at, one in enumerate(operations) if (one.kind, one.name) == ("sync", "")),
        default=-1,
    )
    names_until = len(operations)
    if amount != "everything":
        names_until = rng.randint(names_synced + 1, len(operations))
    names = set[str]()
    for one in operations[:names_until]:
        if one.kind == "create":
            names.add(one.name)
        elif one.kind == "unlink":
            names.discard(one.name)
    return {name: _content(operations, name, amount, rng) for name in sorted(names)}


def _content(
    operations: Sequence[DiskOperation], name: str, amount: Amount, rng: random.Random
) -> bytes:
    own = [one for one in operations if one.name == name and one.kind != "mark"]
    begin = max((at for at, one in enumerate(own) if one.kind in ("create", "unlink")), default=-1)
    own = own[begin + 1 :]
    synced = max((at for at, one in enumerate(own) if one.kind == "sync"), default=-1)
    content = bytearray()
    for at, one in enumerate(own):
        for piece in _pieces(one):
            if at <= synced or amount == "everything" or (amount == "some" and rng.random() < 0.5):
                _apply(content, piece)
    return bytes(content)


def _pieces(one: DiskOperation) -> Iterator[DiskOperation]:
    """Split a write where the blocks of the file begin."""
    if one.kind != "write":
        yield one
        return
    begin = 0
    while begin < len(one.data):
        end = min(len(one.data), begin + _BLOCK - (one.offset + begin) % _BLOCK)
        yield DiskOperation("write", one.name, one.offset + begin, one.data[begin:end])
        begin = end


def _apply(content: bytearray, one: DiskOperation) -> None:
    if one.kind == "truncate":
        del content[one.offset :]
        content.extend(bytes(one.offset - len(content)))
    elif one.kind == "write":
        content.extend(bytes(max(0, one.offset - len(content))))
        content[one.offset : one.offset + len(one.data)] = one.data
