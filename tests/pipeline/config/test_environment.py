from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.environment import resolve_environment
from pipeline.config.schema import load_config
from pipeline.errors import ConfigError

GATE = "cameras={gate: {url: 'rtsp://h/x', username: viewer, password: '${GATE_PASSWORD}'}}"


def test_a_value_takes_a_variable_in_a_file_and_in_a_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAM", "cam: {era")  # not read as YAML
    monkeypatch.setenv("FPS", "7.5")
    monkeypatch.setenv("LABEL", "idle")
    (tmp_path / "own.yaml").write_text(
        "live:\n  detect_fps: ${FPS}\ndetector:\n  weights: ${STREAM}-x\n"
    )
    config = load_config(tmp_path / "own.yaml", ["decision.background=['${LABEL}', nothing]"])
    assert config.live.detect_fps == 7.5
    assert config.detector.weights == "cam: {era-x"
    assert config.decision.background == ("idle", "nothing")


def test_a_setting_that_replaces_a_value_needs_no_variable_of_it(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("redis: {url: '${NO_SUCH_VARIABLE}'}")
    assert load_config(tmp_path / "own.yaml", ["redis.url=none"]).redis.url == "none"


def test_an_unset_variable_is_named_with_its_key() -> None:
    with pytest.raises(
        ConfigError, match=r"^cameras\.gate\.password: .* no variable GATE_PASSWORD$"
    ):
        load_config(None, [GATE])


@pytest.mark.parametrize("text", ["pass${word", "${}", "${A-B}", "${1}"])
def test_a_malformed_reference_is_named_without_the_value(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^redis\.url: `\$\{` takes a NAME") as caught:
        resolve_environment({"redis": {"url": f"redis://:hunter2{text}@h"}}, {"A": "1"})
    assert "hunter2" not in str(caught.value)


def test_an_escaped_reference_is_literal_and_other_dollars_stay() -> None:
    values = {"a": "$${HOME} $HOME $$ {x}", "b": ["$${X}${X}"], "n": 3, "none": None}
    resolved, written = resolve_environment(values, {"X": "${HOME}"})
    assert resolved == {"a": "${HOME} $HOME $$ {x}", "b": ["${X}${HOME}"], "n": 3, "none": None}
    assert written == {("b", 0): "$${X}${X}"}


def test_the_value_of_a_variable_is_never_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_PASSWORD", "hunter2")
    monkeypatch.setenv("WEIGHTS", "/home/alice/own.pt")
    config = load_config(
        None,
        [
            GATE,
            "cameras.yard.url=rtsp://viewer:abc${GATE_PASSWORD}@h/y",
            "detector.weights=${WEIGHTS}",
            "decision.background=[a, '${WEIGHTS}']",
        ],
    )
    assert config.cameras["yard"].url == "rtsp://viewer:abchunter2@h/y"
    password = config.cameras["gate"].password
    assert password is not None
    assert password.get_secret_value() == "hunter2"
    logged = config.loggable_json()
    assert "${GATE_PASSWORD}" in logged
    assert '"weights": "${WEIGHTS}"' in logged
    for text in (logged, repr(config)):
        assert "hunter2" not in text
        assert "abc" not in text
    assert "alice" not in logged


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("detector.confidence=${SECRET}", r"valid number.*, got \$\{SECRET\}$"),
        ("bridges.mqtt.filter=['${SECRET}']", r"filter: not a valid value, got \$\{SECRET\}$"),
        ("redis.url=x${SECRET}", r"^redis: .*, got \*\*\*$"),
        ("tracker.name=${SECRET}", "'deepsort', 'bytetrack' or 'botsort'"),
    ],
)
def test_the_value_of_a_variable_is_in_no_error(
    setting: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    with pytest.raises(ConfigError, match=expected) as caught:
        load_config(None, [setting])
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_password_is_in_neither_repr_nor_json() -> None:
    config = load_config(
        None, ["cameras={gate: {url: 'rtsp://h/x', username: v, password: hunter2}}"]
    )
    assert "hunter2" not in repr(config) + config.model_dump_json() + config.loggable_json()


def test_an_unset_variable_has_its_line_and_the_one_that_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATE_PASSWORD", "hunter2")
    path = tmp_path / "own.yaml"
    path.write_text("cameras:\n  gate:\n    url: rtsp://h/x\n    password: ${GATE_PASWORD}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == (
        f"{path}, line 4: cameras.gate.password: the environment has no variable GATE_PASWORD; "
        "did you mean GATE_PASSWORD?"
    )
