"""The backbone against published numbers and outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.slowfast.architecture import Architecture
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.resnet3d import Pathway
from models.slowfast.slowfast import Lateral, ResNet3dSlowFast, ResNet3dSlowOnly, select_slow
from models.slowfast.zoo import slowfast_r50_4x16
from tests.models.slowfast_fixtures import MAX_ERROR, fill, fixture_folder, load_recipe

INPUTS = {
    "open:A": (1, 3, 32, 112, 112),
    "open:B": (2, 3, 32, 64, 64),
    "open:C": (1, 3, 16, 75, 91),
}


def small_backbone(architecture: Architecture) -> ResNet3dSlowFast:
    fast = architecture.fast_pathway()
    assert fast is not None
    return ResNet3dSlowFast(architecture.slow_pathway(), fast, architecture.lateral()).eval()


@pytest.fixture(scope="module")
def filled_r50(shared_data: Path) -> Recognizer3D:
    recognizer = slowfast_r50_4x16(400).eval()
    fill(recognizer, load_recipe(fixture_folder(shared_data)))
    return recognizer


@pytest.mark.parametrize("name", INPUTS)
def test_r50_4x16_gives_the_scores_of_mmaction2(
    name: str, filled_r50: Recognizer3D, shared_data: Path
) -> None:
    folder = fixture_folder(shared_data)
    clip = torch.from_numpy(load_recipe(folder).video(name, INPUTS[name]))
    expected = np.load(folder / "mmaction2_slowfast_r50_4x16x1_logits.npz")[name]
    with torch.inference_mode():
        logits = filled_r50(clip).numpy()
    assert np.abs(logits - expected).max() / expected.std() < MAX_ERROR


def test_stage_shapes_are_those_of_the_paper() -> None:
    architecture = Architecture(slow_depth=18, fast_depth=18, base_channels=16, alpha=4, beta_inv=4)
    backbone = small_backbone(architecture)
    slow, fast = torch.zeros(1, 3, 2, 64, 64), torch.zeros(1, 3, 8, 64, 64)
    with torch.inference_mode():
        slow_features, fast_features = backbone.eval()(slow, fast)
    assert slow_features.shape == (1, 128, 2, 2, 2)
    assert fast_features.shape == (1, 32, 8, 2, 2)
    assert backbone.out_channels == (128, 32)


@pytest.mark.parametrize(
    ("sampling", "frames"),
    [
        ("stride", [0, 4, 8, 12, 16, 20, 24, 28]),
        ("linspace", [0, 4, 8, 13, 17, 22, 26, 31]),
    ],
)
def test_slow_frames_follow_their_family(sampling: str, frames: list[int]) -> None:
    numbered = torch.arange(32.0).view(1, 1, 32, 1, 1)
    chosen = select_slow(numbered, 4, sampling)  # type: ignore[arg-type]
    assert chosen.flatten().tolist() == frames


def test_alpha_must_divide_the_clip() -> None:
    with pytest.raises(ValueError, match="alpha 8 does not divide the 12 frames"):
        select_slow(torch.zeros(1, 3, 12, 4, 4), 8)


def test_lateral_adds_fusion_ratio_times_the_fast_channels() -> None:
    lateral = Lateral(alpha=4, fusion_kernel=7)
    assert lateral.conv(32)(torch.zeros(1, 32, 8, 2, 2)).shape == (1, 64, 2, 2, 2)


def test_a_lateral_with_norm_also_rectifies() -> None:
    torch.manual_seed(0)
    fast = torch.randn(1, 32, 8, 2, 2)
    bare, normed = (Lateral(4, 7, norm=norm).conv(32).eval() for norm in (False, True))
    assert bare(fast).min() < 0 == normed(fast).min()
    assert not hasattr(bare, "bn")


def test_laterals_fit_the_channels_of_the_fast_pathway() -> None:
    lateral = Lateral(alpha=4, fusion_kernel=5, fusion_ratio=3)
    slow, fast = Pathway(depth=18, base_channels=16), Pathway(depth=18, base_channels=8)
    backbone = ResNet3dSlowFast(slow, fast, lateral)
    widths = [(conv.conv.in_channels, conv.conv.out_channels) for conv in backbone.laterals]
    assert widths == [(8, 24), (8, 24), (16, 48), (32, 96)]
    inputs = [stage[0].conv1.conv.in_channels for stage in backbone.slow.stages]
    assert inputs == [16 + 24, 16 + 24, 32 + 48, 64 + 96]


def test_the_two_pathways_alone_give_what_they_give_together() -> None:
    architecture = Architecture(slow_depth=18, fast_depth=18, base_channels=8, alpha=4, beta_inv=4)
    backbone = small_backbone(architecture)
    generator = torch.Generator().manual_seed(0)
    slow, fast = (torch.randn(1, 3, t, 32, 32, generator=generator) for t in (2, 8))
    with torch.inference_mode():
        expected = backbone(slow, fast)
        x, laterals = backbone.fast.stem(fast), []
        for lateral, stage in zip(backbone.laterals, backbone.fast.stages, strict=True):
            laterals.append(lateral(x))
            x = stage(x)
        assert torch.equal(backbone.fast(fast), expected[1])
        assert torch.equal(backbone.slow(slow, laterals), expected[0])


@pytest.mark.parametrize(("slow_depth", "fast_depth"), [(18, 34), (34, 18), (50, 18), (18, 101)])
def test_any_two_depths_go_together(slow_depth: int, fast_depth: int) -> None:
    architecture = Architecture(slow_depth=slow_depth, fast_depth=fast_depth, base_channels=8)
    backbone = small_backbone(architecture)
    with torch.inference_mode():
        slow, fast = backbone(torch.zeros(1, 3, 1, 32, 32), torch.zeros(1, 3, 8, 32, 32))
    assert (slow.shape[1], fast.shape[1]) == backbone.out_channels


def test_both_pathways_are_configured_for_training() -> None:
    backbone = small_backbone(Architecture(slow_depth=18, fast_depth=18, base_channels=8))
    backbone.configure_training(frozen_stages=0)
    for pathway in (backbone.slow, backbone.fast):
        assert not pathway.stem.conv.weight.requires_grad


def test_slowonly_is_the_slow_pathway_without_laterals() -> None:
    backbone = ResNet3dSlowOnly(Pathway(depth=18, base_channels=4)).eval()
    with torch.inference_mode():
        (features,) = backbone(torch.zeros(1, 3, 4, 32, 32))
    assert (features.shape[1],) == backbone.out_channels == (32,)
    backbone.configure_training(frozen_stages=4)
    assert not any(p.requires_grad for p in backbone.slow.res5.parameters())
