"""The program as a user starts it: a process, real models, a real Redis, a real recording."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import pytest

from pipeline.redis_store.embedded_redis import running_server
from pipeline.subscriber import read_zone_rows
from tests.conftest import REPOSITORY
from tests.integration.conftest import DEMO, PIECES

PROGRAM = [sys.executable, str(REPOSITORY / "run_pipeline.py"), "--log-level", "warning"]
# No test depends on the network: the detector that is always there, without asking for another.
BUILT_IN_DETECTOR = ["--set", "detector.weights=builtin"]

pytestmark = pytest.mark.slow


def run(*arguments: str | Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == expect, done.stderr + done.stdout
    return done


def replay(output: Path, *arguments: str | Path, expect: int = 0) -> subprocess.CompletedProcess:
    return run("replay", "--output", output, *BUILT_IN_DETECTOR, *arguments, expect=expect)


def events_by_camera(path: Path) -> dict[str, list[str]]:
    cameras: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        cameras.setdefault(json.loads(line)["camera_id"], []).append(line)
    return cameras


def busy_process() -> subprocess.Popen[bytes]:
    """Takes a core away for as long as it lives."""
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


@pytest.mark.timeout(600)
def test_the_same_files_give_the_same_bytes_alone_together_and_under_load(
    tmp_path: Path, excerpts: Sequence[Path]
) -> None:
    # Low thresholds make many events, so that a last bit that differs has a chance to show.
    arguments = ["--no-wall-clock", "--redis", "none", "--set", "decision.start_threshold=0.2"]
    arguments += ["--set", "decision.end_threshold=0.15", "--set", "decision.update_interval_s=0"]
    videos = excerpts[:2]
    replay(tmp_path / "first", *videos, *arguments)
    load = [busy_process() for _ in range(2)]
    try:
        replay(tmp_path / "second", *videos, *arguments)
    finally:
        for process in load:
            process.kill()
            process.wait()
    first = (tmp_path / "first/events.jsonl").read_bytes()
    assert first == (tmp_path / "second/events.jsonl").read_bytes()
    together = events_by_camera(tmp_path / "first/events.jsonl")
    actions = [line for lines in together.values() for line in lines if '"instance_id"' in line]
    assert len(actions) > 20
    replay(tmp_path / "alone", excerpts[1], *arguments)
    alone = (tmp_path / "alone/events.jsonl").read_text().splitlines()
    assert alone == together["part1"]


@pytest.fixture
def no_umask() -> Iterator[None]:
    """Files are made with the permissions that a program asks for."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.timeout(300)
def test_redis_the_file_and_the_video_report_the_same_events_to_their_owner_alone(
    tmp_path: Path, excerpts: Sequence[Path], monkeypatch: pytest.MonkeyPatch, no_umask: None
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    output = tmp_path / "new" / "output"
    drawn, tracks = output / "drawn.mp4", output / "tracks"
    replay(
        output, excerpts[0], "--annotated", drawn, "--tracks", tracks,
        "--set", "decision.start_threshold=0.4", "--set", "decision.end_threshold=0.3",
        "--set", "cameras.part0.zones.all.points=[[0, 0], [1, 0], [1, 1], [0, 1]]",
    )  # fmt: skip
    written = (output / "events.jsonl").read_text()
    assert written
    with running_server("embedded", output / "redis") as url:
        [(_, minute)] = read_zone_rows(url)
    assert (minute.camera_id, minute.zone, minute.seq) == ("part0", "all", 1)
    assert minute.entered >= minute.people_max >= 1
    read = run("subscribe", "--from", "0", "--no-follow", "--json", "--output", output)
    assert read.stdout == written
    for_people = run("subscribe", "--from", "0", "--count", "2", "--output", output)
    assert len(for_people.stdout.splitlines()) == 2

    with av.open(str(drawn)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in container.decode(video=0)) == PIECES[0][1]
    rows = [line.split(",") for line in (tracks / "part0.txt").read_text().splitlines()]
    assert {len(row) for row in rows} == {10}
    assert min(int(row[0]) for row in rows) >= 1
    # Nothing else is left at home, by no library.
    assert [str(path.relative_to(home)) for path in home.glob("*/*")] == [".cache/behaviour-stream"]

    made = [output.parent, *output.parent.rglob("*"), home / ".cache", *home.glob("*/*")]
    assert {path.name for path in made} >= {"redis", "outbox", "events.jsonl", "part0.txt"}
    open_to_others = [str(path) for path in made if path.lstat().st_mode & 0o077]
    assert open_to_others == []


def test_a_bad_file_is_named_and_the_others_are_done(
    tmp_path: Path, excerpts: Sequence[Path]
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"this is not a video")
    done = replay(tmp_path, bad, excerpts[2], "--redis", "none", expect=1)
    assert f"{bad}: not a readable video" in done.stderr.replace("\n", "")
    assert "part2" in done.stderr
    assert "complete" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--set", "detector.confidance=1"], "detector.confidance: unknown key"),
        (["--set", "detector.weights=no/such.pt"], "no/such.pt"),
        (["--set", "recognizer.weights=no.safetensors"], "no.safetensors"),
        (["--set", "decision.per_action.fihgt.start_threshold=1"], "fihgt"),
        (["--set", "clip.clip_len=15"], "clip_len 15 must be a multiple of alpha"),
        (["--set", "device=cuda:7"], "cuda:7"),
        (["--config", "no.yaml"], "no.yaml"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_a_wrong_setting_is_named_before_anything_runs(
    tmp_path: Path, arguments: list[str], expected: str
) -> None:
    done = run("replay", DEMO, "--output", tmp_path, "--redis", "none", *arguments, expect=2)
    assert expected in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "events.jsonl").exists()


def test_an_output_never_overwrites_an_input(tmp_path: Path) -> None:
    video = tmp_path / "own.mp4"
    video.write_bytes(DEMO.read_bytes())
    for target in (video, tmp_path):  # the file itself, and a directory in which it would land
        done = replay(tmp_path, video, "--redis", "none", "--annotated", target, expect=2)
        assert "own.mp4 is one of the videos to read" in " ".join(done.stderr.split())
    assert video.read_bytes() == DEMO.read_bytes()


def test_a_redis_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    url = "redis://user:s3cret@127.0.0.1:1/0"
    done = replay(tmp_path, DEMO, "--redis", url, "--set", "redis.wait_s=0.5", expect=1)
    assert "127.0.0.1:1" in done.stderr
    assert "s3cret" not in done.stderr + done.stdout


@pytest.mark.timeout(300)
def test_ctrl_c_drains_and_closes_what_is_open(tmp_path: Path) -> None:
    arguments = ["replay", DEMO, "--output", tmp_path, "--annotated", tmp_path / "drawn.mp4"]
    thresholds = ["decision.start_threshold=0.3", "decision.end_threshold=0.2"]
    settings = [part for value in thresholds for part in ("--set", value)]
    printed, interrupted = "", False
    with subprocess.Popen(
        [*PROGRAM, *map(str, arguments), *BUILT_IN_DETECTOR, *settings],
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:  # as the terminal does it: the signal reaches the whole group
            printed += line
            if not interrupted and " actions" in line and " 0 actions" not in line:
                os.killpg(process.pid, signal.SIGINT)
                interrupted = True
        code = process.wait(60)
    assert code == 130, printed
    assert printed.count("stopping") == 1
    assert "stopped" in printed
    assert "Traceback" not in printed
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    started = {e["instance_id"] for e in events if e["kind"] == "start"}
    assert started == {e["instance_id"] for e in events if e["kind"] == "end"}
    assert started
    with av.open(str(tmp_path / "drawn.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) > 10


@pytest.mark.parametrize("command", [[], ["replay"], ["subscribe"]])
def test_help_has_examples(command: list[str]) -> None:
    text = run(*command, "--help").stdout
    assert "Usage" in text
    assert "Examples" in text
