"""The reference implementations' own numbers, through their own files; and traps that must show."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models import load_recognizer
from models.checkpoints.naming_schemes import MMACTION2
from models.slowfast.complexity import measure_complexity
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.residual_blocks import ConvModule
from models.slowfast.resnet3d import Stem
from models.slowfast.slowfast import ResNet3dSlowFast, select_slow
from tests.models.slowfast_fixtures import MAX_ERROR, fixture_folder, load_recipe

INPUTS = {
    "open:A": (1, 3, 32, 112, 112),
    "open:B": (2, 3, 32, 64, 64),
    "open:C": (1, 3, 16, 75, 91),
}
FILES = {
    "mmaction2_slowfast_r50_4x16x1": ("slowfast_r50_4x16", 34_479_288),
    "mmaction2_slowfast_r50_4x16x1_ucf101": ("slowfast_r50_4x16", 33_790_093),
    "mmaction2_slowfast_r50_8x8x1": ("slowfast_r50_8x8", 34_565_560),
    "mmaction2_slowfast_r101_r50_4x16x1": ("slowfast_r101_r50_4x16", 62_384_312),
    "mmaction2_slowfast_r101_8x8x1": ("slowfast_r101_8x8", 62_912_312),
    "pytorchvideo_slowfast_r50": ("slowfast_r50_8x8", 34_566_488),
    "pytorchvideo_slowfast_r101": ("slowfast_r101_8x8", 62_826_968),
    "pyslowfast_SLOWFAST_4x16_R50": ("slowfast_r50_4x16", 34_480_216),
    "pyslowfast_SLOWFAST_8x8_R50": ("slowfast_r50_8x8", 34_566_488),
}


class Published:
    """The fixtures of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recipe: ModuleType = load_recipe(folder)

    def write(self, name: str, path: Path) -> Path:
        """The checkpoint of that name under its library's names, with the recipe's weights."""
        keys = json.loads((self.folder / "keys" / f"{name}.json").read_text())
        state = {
            key: torch.from_numpy(self.recipe.tensor(key, shape))
            for key, (shape, _) in keys.items()
        }
        torch.save({"state_dict" if "mmaction2" in name else "model_state": state}, path)
        return path

    def video(self, name: str) -> Tensor:
        return torch.from_numpy(self.recipe.video(name, INPUTS[name]))

    def logits(self, name: str, array: str) -> NDArray[np.float32]:
        return np.asarray(np.load(self.folder / f"{name}_logits.npz")[array])


@pytest.fixture(scope="module")
def published(shared_data: Path) -> Published:
    return Published(fixture_folder(shared_data))


@pytest.fixture(scope="module")
def r50(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Recognizer3D:
    path = tmp_path_factory.mktemp("mmaction2") / "r50.pth"
    return load_recognizer(published.write("mmaction2_slowfast_r50_4x16x1", path))


def error(found: Tensor, expected: NDArray[np.float32]) -> float:
    """In units of the expected values' deviation."""
    assert found.shape == expected.shape
    return float(np.abs(found.numpy() - expected).max() / expected.std())


@pytest.mark.parametrize("name", FILES)
def test_every_published_file_is_recognized(
    name: str, published: Published, tmp_path: Path
) -> None:
    model = load_recognizer(published.write(name, tmp_path / "checkpoint.pth"))
    assert (model.input_spec.name, sum(p.numel() for p in model.parameters())) == FILES[name]


@pytest.mark.parametrize(
    "name", ["mmaction2_slowfast_r50_4x16x1", "mmaction2_slowfast_r50_4x16x1_ucf101"]
)
def test_mmaction2_files_give_the_scores_of_mmaction2(
    name: str, published: Published, tmp_path: Path
) -> None:
    model = load_recognizer(published.write(name, tmp_path / "checkpoint.pth"))
    for video in INPUTS:
        with torch.inference_mode():
            logits = model(published.video(video))
        assert error(logits, published.logits(name, video)) < MAX_ERROR


def test_pytorchvideo_files_give_the_scores_of_pytorchvideo(
    published: Published, tmp_path: Path
) -> None:
    name = "pytorchvideo_slowfast_r50"
    model = load_recognizer(published.write(name, tmp_path / "checkpoint.pyth"))
    clip, expected = published.video("open:A"), published.logits(name, "logits|open:A")
    with torch.inference_mode():
        logits = model.forward_pathways(clip[:, :, ::4], clip)
        own_frames = model(clip)
    assert error(logits, expected) < MAX_ERROR
    # The fixture's slow frames are every fourth; the library's own are others, and that shows.
    assert error(own_frames, expected) > 100 * MAX_ERROR


def test_every_stage_is_that_of_mmaction2(r50: Recognizer3D, published: Published) -> None:
    name = "mmaction2_slowfast_r50_4x16x1_stages"
    described = json.loads((published.folder / f"{name}.json").read_text())
    samples = np.load(published.folder / f"{name}.npz")
    seen = _record(r50, published.video("open:A"))
    stages: dict[str, Any] = described.get("stages", described)
    checked = 0
    for stage, numbers in stages.items():
        if not isinstance(numbers, dict) or "shape" not in numbers:
            continue
        found = seen[stage].numpy()
        assert list(found.shape) == numbers["shape"], stage
        picked = published.recipe.pick(numbers["pick_name"], found.size)
        deviation = numbers["std"]
        assert abs(found.mean() - numbers["mean"]) < MAX_ERROR * deviation, stage
        assert abs(found.std() - deviation) < MAX_ERROR * deviation, stage
        worst = np.abs(found.reshape(-1)[picked] - samples[stage]).max()
        assert worst < MAX_ERROR * deviation, stage
        checked += 1
    assert checked >= 20


def _record(model: Recognizer3D, clip: Tensor) -> dict[str, Tensor]:
    """What flows through the network, under the fixture's names."""
    seen: dict[str, Tensor] = {}
    hooks = []

    def keep(name: str, *, inputs: bool = False) -> Any:
        def hook(module: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> None:
            seen[name] = (given[0] if inputs else result).clone()

        return hook

    backbone = model.backbone
    assert isinstance(backbone, ResNet3dSlowFast)
    for path, resnet in (("slow", backbone.slow), ("fast", backbone.fast)):
        hooks.append(resnet.stem.register_forward_hook(keep(f"{path}.input", inputs=True)))
        hooks.append(resnet.stem.register_forward_hook(keep(f"{path}.maxpool")))
        hooks.append(resnet.stem.pool.register_forward_hook(keep(f"{path}.conv1", inputs=True)))
        for number, stage in enumerate(resnet.stages, 1):
            name, blocks = f"{path}.layer{number}", list(stage)
            hooks.append(blocks[0].register_forward_hook(keep(f"{name}.input", inputs=True)))
            hooks.append(blocks[0].register_forward_hook(keep(f"{name}.0")))
            hooks.append(stage.register_forward_hook(keep(name)))
    for behind, lateral in zip(
        ("conv1", "layer1", "layer2", "layer3"), backbone.laterals, strict=True
    ):
        hooks.append(lateral.register_forward_hook(keep(f"slow.{behind}_lateral")))
    classifier = model.cls_head.fc_cls
    hooks.append(classifier.register_forward_hook(keep("fc_cls.input", inputs=True)))
    hooks.append(classifier.register_forward_hook(keep("logits")))
    with torch.inference_mode():
        model(clip)
    for hook in hooks:
        hook.remove()
    return seen


def test_a_training_step_is_that_of_mmaction2(r50: Recognizer3D, published: Published) -> None:
    name = "mmaction2_slowfast_r50_4x16x1_train"
    expected = json.loads((published.folder / f"{name}.json").read_text())
    model = copy.deepcopy(r50).train()
    model.cls_head.dropout.p = 0.0
    logits = model(published.video(expected["input"]))
    loss = model.cls_head.loss(logits, torch.tensor(expected["labels"]))["loss_cls"]
    loss.backward()  # type: ignore[no-untyped-call]
    (scores,) = np.load(published.folder / f"{name}_logits.npz").values()
    assert error(logits.detach(), scores) < 5e-3  # the limits of the fixtures' README
    assert loss.item() == pytest.approx(expected["loss"], rel=1e-3)
    parameters = {MMACTION2.name(key, roi=False): p for key, p in model.named_parameters()}
    norms = {key: parameters[key].grad.norm().item() for key in expected["grad_norm"]}  # type: ignore[union-attr]
    assert norms == pytest.approx(expected["grad_norm"], rel=0.03)
    buffers = {MMACTION2.name(key, roi=False): value for key, value in model.named_buffers()}
    for key, (mean, deviation) in expected["running"].items():
        statistic = buffers[key]
        assert statistic.mean().item() == pytest.approx(mean, rel=1e-3, abs=1e-3 * deviation)
        assert statistic.std(correction=0).item() == pytest.approx(deviation, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "case", "size"),
    [
        ("mmaction2_slowfast_r50_4x16x1", "slowfast_r50_4x16x1 (400 classes)", 256),
        ("mmaction2_slowfast_r50_4x16x1", "slowfast_r50_4x16x1 (400 classes)", 224),
        ("mmaction2_slowfast_r50_4x16x1_ucf101", "slowfast_r50_4x16x1 (101 classes)", 256),
        ("mmaction2_slowfast_r50_8x8x1", "slowfast_r50_8x8x1", 256),
        ("mmaction2_slowfast_r101_r50_4x16x1", "slowfast_r101_r50_4x16x1", 224),
        ("mmaction2_slowfast_r101_8x8x1", "slowfast_r101_8x8x1", 256),
    ],
)
def test_multiply_adds_are_those_of_mmaction2(
    name: str, case: str, size: int, published: Published, tmp_path: Path
) -> None:
    expected = json.loads((published.folder / "complexity.json").read_text())["mmaction2"][case]
    model = load_recognizer(published.write(name, tmp_path / "checkpoint.pth"))
    stages = measure_complexity(model, (size, size))
    assert sum(stage.parameters for stage in stages) == expected["params"]
    multiply_adds = sum(stage.multiply_adds for stage in stages) / 1e9
    assert multiply_adds == pytest.approx(expected[str(size)]["macs_g"], abs=6e-4)


def _turn_columns(model: Recognizer3D) -> None:
    weight = model.cls_head.fc_cls.weight.data
    model.cls_head.fc_cls.weight.data = torch.cat([weight[:, 256:], weight[:, :256]], dim=1)


def _rectify_laterals(model: Recognizer3D) -> None:
    for name, module in model.named_modules():
        if "laterals" in name and isinstance(module, ConvModule):
            module._relu = True


def _other_epsilon(model: Recognizer3D) -> None:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.eps = 1e-6


def _stride_in_the_1x1(model: Recognizer3D) -> None:
    for name, module in model.named_modules():
        if name.endswith(".0") and hasattr(module, "conv3"):
            first, second = module.conv1.conv, module.conv2.conv
            first.stride, second.stride = second.stride, first.stride


def _lose_the_bias(model: Recognizer3D) -> None:
    nn.init.zeros_(model.cls_head.fc_cls.bias)


def _other_pooling(model: Recognizer3D) -> None:
    for module in model.modules():
        if isinstance(module, Stem):
            module.pool = nn.MaxPool3d((1, 2, 2), (1, 2, 2))


@pytest.mark.parametrize(
    "trap",
    [
        _turn_columns,
        _rectify_laterals,
        _other_epsilon,
        _stride_in_the_1x1,
        _lose_the_bias,
        _other_pooling,
    ],
)
def test_a_trap_inside_the_network_would_be_caught(
    trap: Any, r50: Recognizer3D, published: Published
) -> None:
    trapped = copy.deepcopy(r50)
    trap(trapped)
    with torch.inference_mode():
        logits = trapped(published.video("open:B"))
    expected = published.logits("mmaction2_slowfast_r50_4x16x1", "open:B")
    assert error(logits, expected) > 10 * MAX_ERROR


@pytest.mark.parametrize("trap", ["linspace", "shifted", "other colours"])
def test_a_trap_in_front_of_the_network_would_be_caught(
    trap: str, r50: Recognizer3D, published: Published
) -> None:
    clip = published.video("open:B")
    slow = select_slow(clip, 8, "linspace" if trap == "linspace" else "stride")
    if trap == "shifted":
        slow = clip[:, :, 1::8]
    elif trap == "other colours":  # another family's mean and deviation
        mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1, 1)
        std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1, 1)
        clip = (clip * std + mean - 114.75) / 57.375
        slow = clip[:, :, ::8]
    with torch.inference_mode():
        logits = r50.forward_pathways(slow, clip)
    expected = published.logits("mmaction2_slowfast_r50_4x16x1", "open:B")
    assert error(logits, expected) > 10 * MAX_ERROR
