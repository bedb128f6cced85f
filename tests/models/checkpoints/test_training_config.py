"""The training configuration in a checkpoint counts more than convention."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import CheckpointError, load_recognizer
from models.slowfast.input_spec import (
    FACEBOOK_STD,
)
from tests.models.published_files import (
    FACEBOOK,
    MMACTION2,
    PYSLOWFAST,
    same_logits,
    save,
    small_network,
)


def test_non_local_blocks_are_pooled_and_compared_as_the_file_specifies(tmp_path: Path) -> None:
    model = small_network(
        **FACEBOOK,
        slow_non_local_at=((), (1,), (), ()),
        non_local_pool=(1, 3, 3),
        non_local_instantiation="softmax",
    )
    config = """
NONLOCAL:
  {LOCATION: [[[], []], [[1], []], [[], []], [[], []]], GROUP: [[1, 1], [1, 1], [4, 1], [1, 1]],
   INSTANTIATION: softmax,
   POOL: [[[2, 2, 2], [1, 1, 1]], [[1, 3, 3], [1, 1, 1]], [[2, 2, 2], [1, 1, 1]], [[2, 2, 2]]]}
"""
    loaded = load_recognizer(save(model, PYSLOWFAST, tmp_path / "a.pyth", cfg=config))
    assert loaded.architecture == model.architecture
    same_logits(loaded, model, "linspace")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("LOCATION: [[[]], [[1]], [[]], [[]]], GROUP: [[1], [4], [1], [1]]", "groups of frames"),
        ("LOCATION: [[[0]], [[1]]], POOL: [[[1, 2, 2]], [[2, 2, 2]]]", "pool differently"),
    ],
)
def test_non_local_blocks_of_another_kind_are_refused(
    config: str, message: str, tmp_path: Path
) -> None:
    model = small_network(**FACEBOOK, slow_non_local_at=((0,), (1,), (), ()))
    path = save(model, PYSLOWFAST, tmp_path / "a.pyth", cfg=f"NONLOCAL: {{{config}}}")
    with pytest.raises(CheckpointError, match=message):
        load_recognizer(path)


@pytest.mark.parametrize(
    ("config", "order"),
    [
        ("DETECTION: {ENABLE: true}\nAVA: {BGR: true}", "bgr"),
        (
            "DETECTION: {ENABLE: true}\nAVA: {BGR: false}\nDATA: {REVERSE_INPUT_CHANNEL: true}",
            "rgb",
        ),
        ("DATA: {REVERSE_INPUT_CHANNEL: true}", "bgr"),
    ],
)
def test_the_order_of_colours_is_the_one_that_the_file_specifies(
    config: str, order: str, tmp_path: Path
) -> None:
    head = "roi" if "DETECTION" in config else "clip"
    path = save(small_network(**FACEBOOK, head=head), PYSLOWFAST, tmp_path / "a.pyth", cfg=config)
    assert load_recognizer(path).input_spec.colour_order == order


def test_the_configuration_in_a_pyslowfast_file_overrides_the_convention(tmp_path: Path) -> None:
    config = """
SLOWFAST: {ALPHA: 2}
DATA:
  {NUM_FRAMES: 64, SAMPLING_RATE: 3, TRAIN_CROP_SIZE: 160, TARGET_FPS: 25, MEAN: [0.5, 0.5, 0.5]}
MODEL: {ARCH: slowfast, HEAD_ACT: sigmoid}
"""
    network = small_network(**FACEBOOK)
    spec = load_recognizer(save(network, PYSLOWFAST, tmp_path / "a.pyth", cfg=config)).input_spec
    assert (spec.alpha, spec.clip_len, spec.frame_interval) == (2, 64, 3)
    assert (spec.crop_size, spec.target_fps, spec.multi_label) == (160, 25.0, True)
    assert spec.mean == (127.5, 127.5, 127.5)
    assert spec.std == FACEBOOK_STD


def test_the_configuration_in_an_mmaction2_file_overrides_the_convention(tmp_path: Path) -> None:
    config = (
        "model = dict(backbone=dict(resample_rate=8, speed_ratio=4),"
        " cls_head=dict(multi_class=True))\n"
        "train_pipeline = [dict(type='SampleFrames', clip_len=64, frame_interval=1)]"
    )
    meta = {"config": config, "CLASSES": ["run", "walk", "sit", "stand", "fall"]}
    model = load_recognizer(save(small_network(), MMACTION2, tmp_path / "a.pth", meta=meta))
    spec = model.input_spec
    assert (spec.alpha, model.architecture.resample_rate) == (4, 8)
    assert (spec.clip_len, spec.frame_interval, spec.multi_label) == (64, 1, True)
    assert spec.labels == ("run", "walk", "sit", "stand", "fall")


def test_a_configuration_that_cannot_be_read_is_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network = small_network(**FACEBOOK)
    config = "MODEL: !!python/object:os.system {}"
    assert load_recognizer(save(network, PYSLOWFAST, tmp_path / "a.pyth", cfg=config))
    assert "and is ignored" in caplog.text
    meta = {"config": "model = dict("}
    assert load_recognizer(save(small_network(), MMACTION2, tmp_path / "a.pth", meta=meta))
