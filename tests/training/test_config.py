"""The configuration of a training run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from tests.conftest import REPOSITORY
from training.config import load_train_config
from training.fitting.run_state import CONFIG, open_output


def test_the_defaults_are_whole_and_every_key_has_a_comment() -> None:
    load_train_config(None, [])
    lines = (REPOSITORY / "configs/train/default.yaml").read_text().splitlines()
    keys = [line for line in lines if line.startswith("  ")]
    assert len(keys) > 50
    assert [line for line in keys if " # " not in line] == []


def test_the_detector_is_set_as_in_replay() -> None:
    config = load_train_config(None, ["detector.weights=builtin", "loop.epochs=3"])
    assert config.detector.weights == "builtin"
    assert config.loop.epochs == 3


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("loop.epoch=3", "loop.epoch: unknown key; did you mean loop.epochs"),
        ("loop.epochs=0", "loop.epochs: .*greater than 0, got 0"),
        ("sampling.balance=groups", "sampling.balance"),
        ("data.labels=[walk, walk]", "data.labels has a label twice"),
        ("decision.smoothing_s=1", "decision: unknown key"),
    ],
)
def test_a_wrong_key_or_value_is_named(setting: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_train_config(None, [setting])


def test_the_configuration_that_made_a_model_can_be_used_again(tmp_path: Path) -> None:
    config = load_train_config(None, ["loop.epochs=3", "augmentation.never_flip=[point]"])
    open_output(tmp_path / "run", config, "run_pipeline.py train --data clips")
    path = tmp_path / "run" / CONFIG
    assert path.read_text().startswith("# run_pipeline.py train --data clips\n")
    assert load_train_config(path, []) == config
