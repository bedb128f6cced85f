"""What an unknown key was probably meant to be."""

from __future__ import annotations

import pytest

from pipeline.config.explanation import OTHER_NAMES, suggestion
from pipeline.config.loading import Section
from pipeline.config.network import ModelConfig
from pipeline.config.schema import PipelineConfig
from training.config import TrainConfig


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("detector.confidance", "did you mean detector.confidence?"),
        ("detektor", "did you mean detector?"),
        ("camera", "did you mean cameras?"),
        ("detector.Confidence", "did you mean detector.confidence?"),
        ("live.detect-fps", "did you mean live.detect_fps?"),
        ("cameras.gate.user", "did you mean cameras.gate.username?"),
        ("cameras.gate.pass", "did you mean cameras.gate.password?"),
        ("cameras.gate.pwd", "did you mean cameras.gate.password?"),
        ("cameras.gate.rtsp", "did you mean cameras.gate.url?"),
        ("cameras.gate.fps", "did you mean cameras.gate.detect_fps?"),
        ("cameras.gate.password_fiel", "did you mean cameras.gate.password_file?"),
        ("redis.host", "it belongs into redis.url: redis://username:password@host:port/db"),
        ("redis.password", "it belongs into redis.url: redis://username:password@host:port/db"),
        ("redis.max_len", "did you mean redis.maxlen?"),
        ("bridges.mqtt.broker", "did you mean bridges.mqtt.host?"),
        ("detector.classes", "did you mean detector.person_class?"),
        ("decision.per_action.a.threshold", "did you mean decision.per_action.a.start_threshold?"),
        ("detektor.weights", "did you mean detector.weights or recognizer.weights?"),
        ("bridges.mqtt.user", "did you mean bridges.mqtt.username?"),
        ("bridges.webhok", "did you mean bridges.webhook?"),
        (
            "decision.per_action.fight.start_treshold",
            "did you mean decision.per_action.fight.start_",
        ),
        ("detect_fps", "did you mean live.detect_fps?"),
        ("detector.smoothing_s", "did you mean decision.smoothing_s?"),
        ("detector.device", "did you mean device?"),
        ("live.start_threshold", "did you mean decision.start_threshold?"),
    ],
)
def test_the_nearest_key_is_named(key: str, expected: str) -> None:
    found = suggestion(PipelineConfig, tuple(key.split(".")))
    assert found is not None
    assert found.startswith(expected)


@pytest.mark.parametrize(
    "key", ["detector.colour", "zoom", "cameras.gate.nothing_like_it", "x", "detector.5"]
)
def test_a_key_that_is_near_nothing_is_not_guessed(key: str) -> None:
    assert suggestion(PipelineConfig, tuple(key.split("."))) is None


@pytest.mark.parametrize(
    ("model", "key", "expected"),
    [
        (TrainConfig, "loop.epoch", "did you mean loop.epochs?"),
        (TrainConfig, "optimizer.lr", "did you mean optimizer.learning_rate?"),
        (TrainConfig, "epochs", "did you mean loop.epochs?"),
        (ModelConfig, "cls_head.dropout", "did you mean cls_head.dropout_ratio?"),
    ],
)
def test_other_files_have_suggestions_too(model: type[Section], key: str, expected: str) -> None:
    assert suggestion(model, tuple(key.split("."))) == expected


def test_other_names_lead_to_keys_that_exist() -> None:
    text = f"{PipelineConfig.model_json_schema()}{TrainConfig.model_json_schema()}"
    assert all(f"'{name}'" in text for names in OTHER_NAMES.values() for name in names)
