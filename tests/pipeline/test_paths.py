from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.paths import expand_user, ffmpeg_url, name_of


def test_ffmpeg_gets_an_absolute_path_behind_the_one_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ffmpeg_url("concat:a|b.mp4") == f"file:{tmp_path}/concat:a|b.mp4"
    assert ffmpeg_url(Path("-i.mp4")) == f"file:{tmp_path}/-i.mp4"


def test_a_tilde_is_the_home_directory_and_that_of_no_user_is_a_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/operator")
    assert expand_user("~/out") == "/home/operator/out"
    assert expand_user("~no-such-user.mp4") == "~no-such-user.mp4"
    assert expand_user("a~b") == "a~b"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("gate.mp4", "gate"),
        ("10:00:00.mp4", "10:00:00"),
        ("cam1/2026-11-25/10.30.mp4", "cam1-2026-11-25-10.30"),
        ("Straße 門 ж\u00a0\u3000.mp4", "Straße 門 ж\u00a0\u3000"),  # spaces of other scripts
        ("caf\udce9.mp4", r"caf\xe9"),
        ("a\nb\x1b[2J\u202e.mp4", r"a\nb\x1b[2J\u202e"),
        ("\U0001f469\u200d\U0001f52c.mp4", "\U0001f469\u200d\U0001f52c"),  # an emoji with a joiner
        (".mp4", ".mp4"),
    ],
)
def test_a_camera_is_named_after_its_file(path: str, name: str) -> None:
    assert name_of(Path(path)) == name


@given(st.binary(min_size=1).filter(lambda name: b"/" not in name and b"\0" not in name))
def test_every_json_reader_takes_the_name_of_any_file(raw: bytes) -> None:
    name = name_of(Path(raw.decode("utf-8", "surrogateescape")))
    assert json.loads(json.dumps(name).encode()) == name
    name.encode()  # no lone surrogate
    assert "\x1b" not in name
    assert "\n" not in name
