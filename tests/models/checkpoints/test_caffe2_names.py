"""Caffe2 files load and score as their owner would."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from models import load_recognizer
from models.slowfast.input_spec import (
    numbered_labels,
)
from models.slowfast.recognizer3d import Recognizer3D
from tests.models.published_files import (
    FACEBOOK,
    PYSLOWFAST,
    in_naming_scheme,
    same_logits,
    small_network,
    write_caffe2,
)


def test_a_caffe2_file_gives_the_scores_of_its_network(tmp_path: Path) -> None:
    model = small_network(**FACEBOOK, slow_depth=50, fast_depth=50)
    path = tmp_path / "SLOWFAST_8x8_R50.pkl"
    write_caffe2(path, in_naming_scheme(model, PYSLOWFAST))
    same_logits(load_recognizer(path), model, "linspace")


def test_a_caffe2_file_for_boxes_aligns_them_as_caffe2_did(tmp_path: Path) -> None:
    changes = {"head": "roi", "spatial_strides": (1, 2, 2, 1), "dilations": (1, 1, 1, 2)}
    model = small_network(**FACEBOOK, **changes, roi_aligned=False)
    state = in_naming_scheme(model, PYSLOWFAST)
    eighty = {"head.projection.weight": torch.randn(80, 80), "head.projection.bias": torch.ones(80)}
    write_caffe2(tmp_path / "ava.pkl", state | eighty)
    assert load_recognizer(tmp_path / "ava.pkl").architecture == model.architecture
    config = "DETECTION: {ENABLE: true, ALIGNED: false}"
    torch.save({"model_state": state, "cfg": config}, tmp_path / "ava.pyth")
    assert load_recognizer(tmp_path / "ava.pyth").architecture == model.architecture


def test_a_caffe2_file_for_boxes_has_non_local_blocks_as_caffe2_had(tmp_path: Path) -> None:
    model = small_network(
        **FACEBOOK,
        **{"head": "roi", "spatial_strides": (1, 2, 2, 1), "dilations": (1, 1, 1, 2)},
        **{"slow_non_local_at": ((), (), (1,), ()), "non_local_pool": (2, 2, 2)},
        roi_aligned=False,
    )
    eighty = Recognizer3D(
        model.architecture, replace(model.input_spec, labels=numbered_labels(80))
    ).eval()
    eighty.backbone.load_state_dict(model.backbone.state_dict())
    write_caffe2(tmp_path / "ava.pkl", in_naming_scheme(eighty, PYSLOWFAST))
    loaded = load_recognizer(tmp_path / "ava.pkl")
    assert loaded.architecture == model.architecture
    same_logits(loaded, eighty, "linspace")
