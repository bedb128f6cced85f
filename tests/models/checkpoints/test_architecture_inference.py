"""Names and shapes show the network; networks of other families are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models import CheckpointError, load_recognizer
from tests.models.published_files import (
    MMACTION2,
    ONE_PATHWAY,
    PYSLOWFAST,
    SLOWONLY,
    save,
    small_network,
)


# Their pooling in time is in no weight: taken for SlowOnly, they would give wrong scores.
@pytest.mark.parametrize(
    "changes",
    [
        {"slow_inflate": (0, 0, 0, 0)},
        {"slow_conv1_kernel": (5, 7, 7), "slow_inflate": (1, (1, 0), (1, 0), (0, 1))},
    ],
    ids=["C2D", "I3D"],
)
@pytest.mark.parametrize("marker", [SLOWONLY, PYSLOWFAST])
def test_other_networks_with_one_pathway_are_not_taken_for_slowonly(
    marker: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    model = small_network(**ONE_PATHWAY, **changes)
    with pytest.raises(CheckpointError, match="as in C2D or I3D, not in SlowOnly"):
        load_recognizer(save(model, marker, tmp_path / "a.pth"))


def test_the_file_itself_identifies_its_network(tmp_path: Path) -> None:
    model = small_network(**ONE_PATHWAY)
    path = save(model, PYSLOWFAST, tmp_path / "a.pyth", cfg="MODEL: {ARCH: i3d}")
    with pytest.raises(CheckpointError, match=r"MODEL\.ARCH is i3d"):
        load_recognizer(path)
    save(model, PYSLOWFAST, path, cfg="MODEL: {ARCH: slow}")
    assert load_recognizer(path).architecture == model.architecture


def test_two_dimensional_convolutions_are_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {SLOWONLY: torch.zeros(64, 3, 7, 7)}}, tmp_path / "tsn.pth")
    with pytest.raises(CheckpointError, match="have no time"):
        load_recognizer(tmp_path / "tsn.pth")


@pytest.mark.parametrize(("kernel", "alpha"), [(7, 4), (5, 8)])
def test_alpha_follows_the_laterals_of_the_public_models(
    kernel: int, alpha: int, tmp_path: Path
) -> None:
    path = save(small_network(fusion_kernel=kernel), MMACTION2, tmp_path / "a.pth")
    model = load_recognizer(path)
    assert model.architecture.alpha == model.input_spec.alpha == alpha
    assert model.input_spec.name == f"slowfast_r18_{32 // alpha}x{2 * alpha}"
