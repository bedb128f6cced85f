from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.public.names import PUBLIC_CHECKPOINTS
from run_pipeline import app
from testbed.file_server import ServedFile, http_server

NAME = "pytorchvideo/slowfast_r50"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["recognizers", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_list_has_terms_and_whether_a_file_is_here(home: Path) -> None:
    code, out, _ = run("list")
    assert code == 0
    assert all(name in out for name in PUBLIC_CHECKPOINTS)
    assert f"{NAME}  (140 MB or more, not fetched)" in out
    assert "labels kinetics400 (400)" in out
    assert "terms: Apache-2.0; Kinetics-400: annotations CC BY 4.0" in out
    file = PUBLIC_CHECKPOINTS[NAME].file()
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    assert f"{NAME}  (140 MB or more, fetched)" in run("list")[1]
    rows = [json.loads(line) for line in run("list", "--json")[1].splitlines()]
    assert len(rows) == len(PUBLIC_CHECKPOINTS)
    assert {row["name"] for row in rows if row["is_here"]} == {NAME}
    assert str(file) in [row["file"] for row in rows]


def test_fetch_prints_where_the_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_server(ServedFile(b"PK weights").answer) as url:
        made = replace(PUBLIC_CHECKPOINTS[NAME], url=f"{url}/a.pyth")
        monkeypatch.setitem(PUBLIC_CHECKPOINTS, NAME, made)
        code, out, _ = run("fetch", NAME)
    assert code == 0
    assert Path(out.strip()).read_bytes() == b"PK weights"


def test_a_near_miss_and_a_failed_download_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    made = replace(PUBLIC_CHECKPOINTS[NAME], url="http://127.0.0.1:1/a.pyth")
    monkeypatch.setitem(PUBLIC_CHECKPOINTS, NAME, made)
    code, _, error = run("fetch", "pytorchvideo/slowfast_r5")
    assert code == 2
    assert "did you mean pytorchvideo/slowfast_r50?" in error
    code, _, error = run("fetch", NAME)
    assert code == 1
    assert "On a machine without internet save http://127.0.0.1:1/a.pyth as " in error
