"""The register: appended to by several processes, readable after a crash, and what it tells."""

from __future__ import annotations

import json
import multiprocessing
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from training.register import Register, RegisterEntry, history_of

ENTRY = RegisterEntry(
    at="2026-11-25T10:00:00Z", purpose="looked at", data="labels.csv", split="test", clips=4,
    groups=2, model="mine", weights="w1", numbers={"top1": 0.75}, videos=("a", "b"),
)  # fmt: skip


def write_twenty(path: Path, name: str) -> None:
    for number in range(20):
        Register(path).append([replace(ENTRY, model=f"{name}-{number}", data="x" * 3000)])


def test_several_processes_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "register.jsonl"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_twenty, args=(path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    found = Register(path).read()
    assert len(found) == 40
    assert {entry.model for entry in found} == {f"{n}-{k}" for n in "ab" for k in range(20)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_that_a_power_cut_left_is_skipped_and_the_next_one_is_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    register = Register(tmp_path / "register.jsonl")
    register.append([ENTRY])
    with register.path.open("ab") as file:
        file.write(b'{"at": "2026-')
    register.append([replace(ENTRY, model="next")])
    assert [entry.model for entry in register.read()] == ["mine", "next"]
    assert "register.jsonl:2: not a line of the register" in caplog.text


def test_entries_come_back_and_fields_of_later_versions_are_ignored(tmp_path: Path) -> None:
    register = Register(tmp_path / "register.jsonl")
    assert register.read() == []
    values = json.loads(ENTRY.to_json()) | {"weather": "rain"}
    register.path.write_text(json.dumps(values) + "\n")
    [entry] = register.read()
    assert entry == ENTRY


def test_a_register_that_cannot_be_written_is_named_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"--register .*register\.jsonl: cannot be written"):
        Register(tmp_path / "file" / "register.jsonl").check()


def test_data_is_new_once() -> None:
    videos = frozenset({"b", "c"})
    new = history_of(videos, [replace(ENTRY, videos=("x",))], trained_on=frozenset("x"))
    assert (new.held_out, new.sentences()) == (
        True,
        ["this data is looked at for the first time"],
    )
    again = history_of(videos, [ENTRY, ENTRY])
    assert again.sentences() == [
        "this data was looked at 2 times before, the last time on 2026-11-25 with mine"
    ]
    assert again.held_out  # of other weights, or none


def test_what_chose_anything_is_not_held_out() -> None:
    videos = frozenset({"b", "c"})
    chose = replace(ENTRY, purpose="chose thresholds")
    for history in (
        history_of(videos, [chose], weights="w1"),
        history_of(videos, [], thresholds=("2026-11-25T10:00:00Z", frozenset("b"))),
    ):
        assert history.held_out is False
        sentence = "this data chose the thresholds of this model on 2026-11-25: not held out"
        assert sentence in history.sentences()
    assert history_of(videos, [chose], weights="w2").held_out
    epoch = history_of(videos, [], chosen_on=frozenset("c"))
    assert "1 of its 2 videos chose the epoch of this model: not held out" in epoch.sentences()
    trained = history_of(videos, [], trained_on=frozenset({"b", "c", "d"}))
    assert "2 of its 2 videos trained this model: not held out" in trained.sentences()


def test_weights_without_a_record_leave_it_open() -> None:
    unknown = history_of(frozenset("b"), [], trained_on=None)
    assert unknown.held_out is None
    assert "the weights do not record all that they were trained on" in unknown.sentences()
    registered = history_of(
        frozenset("b"), [replace(ENTRY, purpose="trained on")], weights="w1", trained_on=None
    )
    assert registered.held_out is False
