"""From the configuration to plain values."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigError
from training.config import load_train_config
from training.fitting.specs import mirror_rule


def test_a_label_that_is_mirrored_must_exist() -> None:
    section = load_train_config(None, ["augmentation.mirror_labels={turn: walk}"]).augmentation
    with pytest.raises(ConfigError, match=r"augmentation\.mirror_labels: there is no label turn"):
        mirror_rule(section, ("walk", "run"))
