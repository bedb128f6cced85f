"""Temperatures of labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.inference.temperature import apply_temperatures

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]], np.float32)


def test_one_temperature_is_temperature_scaling_of_the_logits() -> None:
    scores = torch.from_numpy(LOGITS).softmax(dim=1).numpy()
    wanted = (torch.from_numpy(LOGITS) / 2.5).softmax(dim=1).numpy()
    found = apply_temperatures(scores, [2.5] * 3, multi_label=False)
    assert found == pytest.approx(wanted, abs=1e-6)
    assert found.dtype == np.float32


def test_independent_labels_have_temperatures_of_their_own() -> None:
    scores = torch.from_numpy(LOGITS).sigmoid().numpy()
    wanted = (torch.from_numpy(LOGITS) / torch.tensor([2.0, 1.0, 0.5])).sigmoid().numpy()
    found = apply_temperatures(scores, [2.0, 1.0, 0.5], multi_label=True)
    assert found == pytest.approx(wanted, abs=1e-5)


def test_certain_scores_and_nan_are_no_trouble() -> None:
    scores = np.array([[1.0, 0.0], [np.nan, np.nan]], np.float32)
    found = apply_temperatures(scores, [2.0, 2.0], multi_label=False)
    assert found[0].sum() == pytest.approx(1.0)
    assert np.isnan(found[1]).all()
