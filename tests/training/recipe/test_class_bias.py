"""A bias that raises the scores of one class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from models.checkpoints.checkpoint import load_recognizer, save_recognizer
from models.slowfast.zoo import slowfast_compact
from training.recipe.class_bias import main, parse_shift, shift_bias

app = typer.Typer()
app.command()(main)


def test_the_odds_of_the_class_change_by_the_exponential_and_no_others(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = slowfast_compact(3)
    before, after = tmp_path / "before.safetensors", tmp_path / "after.safetensors"
    save_recognizer(before, model)
    arguments = [str(before), str(after), "--shift", f"class_1={np.log(2)}"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    features = torch.rand(1, model.cls_head.fc_cls.in_features)
    old, new = (
        load_recognizer(path).float().cls_head.fc_cls(features).softmax(1)[0].detach()
        for path in (before, after)
    )
    assert float(new[1] / new[0]) == pytest.approx(2 * float(old[1] / old[0]), rel=1e-2)
    assert float(new[2] / new[0]) == pytest.approx(float(old[2] / old[0]), rel=1e-2)


def test_a_label_that_the_model_does_not_have_is_named() -> None:
    with pytest.raises(ValueError, match="no label 'fihgt'; the model's labels are class_0"):
        shift_bias(slowfast_compact(2), {"fihgt": 0.5})


def test_what_is_no_number_is_named() -> None:
    assert parse_shift("a=b=0.5") == ("a=b", 0.5)
    with pytest.raises(typer.BadParameter, match="LABEL=NUMBER"):
        parse_shift("fight")
