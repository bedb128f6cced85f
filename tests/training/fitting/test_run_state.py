"""The folder of a run: new, unfinished or finished."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from training.config import load_train_config
from training.fitting.run_state import MODEL, STATE, open_output


def test_an_unfinished_run_is_resumed_with_the_same_configuration_only(tmp_path: Path) -> None:
    config = load_train_config(None, [])
    assert not open_output(tmp_path, config, "train")
    assert not open_output(tmp_path, config, "train")  # killed before anything was saved
    (tmp_path / STATE).touch()
    assert open_output(tmp_path, config, "train")
    other = load_train_config(None, ["loop.epochs=3"])
    with pytest.raises(ConfigError, match=r"loop\.epochs was 25, is 3"):
        open_output(tmp_path, other, "train")


def test_a_finished_run_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / MODEL).touch()
    with pytest.raises(ConfigError, match="a finished run is in it"):
        open_output(tmp_path, load_train_config(None, []), "train")
