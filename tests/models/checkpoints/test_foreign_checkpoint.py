"""Files of other libraries are identified, or what they are is explained."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from models import CheckpointError, load_recognizer
from tests.models.published_files import (
    FACEBOOK,
    MMACTION2,
    PYSLOWFAST,
    clip_of,
    save,
    small_network,
)


def test_a_new_number_of_classes_makes_a_fresh_classifier_and_logs_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    model = small_network(**FACEBOOK)
    path = save(model, PYSLOWFAST, tmp_path / "a.pyth")
    loaded = load_recognizer(path, num_classes=9)
    assert "a fresh classifier for 9 classes" in caplog.text
    assert loaded(clip_of(model)).shape == (2, 9)
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(loaded.backbone.state_dict()[name], value), name
    kept = load_recognizer(path, num_classes=5)
    assert torch.equal(kept.cls_head.fc_cls.bias, model.cls_head.fc_cls.bias)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {"layer.weight": torch.zeros(1)}}, "its weights are called layer.weight"),
        (
            {"state_dict": {MMACTION2: torch.zeros(64, 3, 1, 7, 7)}},
            "looks like a file of mmaction2",
        ),
        ([torch.zeros(1)], "holds a list, not weights by name"),
        ({"epoch": 3}, r"holds no weights by name \(epoch\)"),
    ],
)
def test_a_file_without_a_slowfast_network_is_explained(
    content: Any, message: str, tmp_path: Path
) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=message):
        load_recognizer(tmp_path / "a.pth")
