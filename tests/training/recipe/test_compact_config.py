"""The configuration that makes the shipped recognizer."""

from __future__ import annotations

from models.checkpoints.checkpoint import load_recognizer
from tests.conftest import REPOSITORY
from training.config import load_train_config


def test_the_recipe_and_the_shipped_weights_agree() -> None:
    config = load_train_config(REPOSITORY / "configs" / "train" / "compact.yaml", [])
    spec = load_recognizer(
        REPOSITORY / "models" / "weights" / "slowfast_compact.safetensors"
    ).input_spec
    assert config.data.labels == spec.labels
    assert config.model.name == spec.name
    assert config.input.crop_margin == spec.crop_margin
