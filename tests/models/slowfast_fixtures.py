"""Where the expected outputs of published SlowFast implementations come from."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

from models.checkpoints.naming_schemes import MMACTION2
from models.slowfast.recognizer3d import Recognizer3D

# Of the fixtures' README: in units of the expected values' deviation.
MAX_ERROR = 1e-3


def fixture_folder(shared_data: Path) -> Path:
    """The folder of expected outputs; the test skips where it is absent."""
    folder = shared_data / "fixtures" / "slowfast"
    if not (folder / "recipe.py").is_file():
        pytest.skip(f"no expected outputs in {folder}")
    return folder


def load_recipe(folder: Path) -> ModuleType:
    """The functions that make weights and inputs from names."""
    spec = importlib.util.spec_from_file_location("slowfast_recipe", folder / "recipe.py")
    assert spec is not None and spec.loader is not None
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    return recipe


def fill(model: Recognizer3D, recipe: ModuleType) -> None:
    """Give every weight the recipe's values, which it draws from mmaction2's names."""
    for name, value in model.state_dict().items():
        theirs = MMACTION2.name(name, roi=False)
        value.copy_(torch.from_numpy(recipe.tensor(theirs, value.shape)))
