"""Files in the naming schemes of other libraries, with small networks inside."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.checkpoints.naming_schemes import (
    NAMING_SCHEMES,
    OUR_HEAD,
    NamingScheme,
    find_naming_scheme,
)
from models.slowfast.architecture import Architecture
from models.slowfast.input_spec import InputSpec
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.zoo import slowfast_compact

MMACTION2, SLOWONLY, PYTORCHVIDEO, SLOW, PYSLOWFAST = (scheme.marker for scheme in NAMING_SCHEMES)
FACEBOOK = {"lateral_norm": True}
ONE_PATHWAY = {"fast_depth": None, "alpha": 1, "beta_inv": 8, "fusion_kernel": 5}


def small_network(**changes: object) -> Recognizer3D:
    """A network with batch norms away from their start, which no two inputs leave alike."""
    values: dict[str, object] = {
        "slow_depth": 18,
        "fast_depth": 18,
        "base_channels": 8,
        "beta_inv": 4,
        "alpha": 4,
        "fusion_kernel": 7,
    }
    architecture = Architecture(**(values | changes))  # type: ignore[arg-type]
    spec = slowfast_compact(5).input_spec
    torch.manual_seed(1)
    model = Recognizer3D(architecture, _fitting(spec, architecture)).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.get_buffer("running_mean"), -0.2, 0.2)
            nn.init.uniform_(module.get_buffer("running_var"), 0.5, 1.5)
    nn.init.normal_(model.cls_head.fc_cls.weight, std=1.0)
    nn.init.normal_(model.cls_head.fc_cls.bias)
    return model


def _fitting(spec: InputSpec, architecture: Architecture) -> InputSpec:
    return replace(spec, alpha=architecture.alpha, multi_label=architecture.head == "roi")


def in_naming_scheme(model: Recognizer3D, marker: str) -> dict[str, Tensor]:
    """The weights as the library with that marker names and orders them."""
    scheme = find_naming_scheme([marker])
    assert scheme is not None
    roi = model.architecture.head == "roi"
    state = dict(model.state_dict())
    if not scheme.fast_first or roi:
        fast_channels = sum(model.backbone.out_channels[1:])
        weight = state[f"{OUR_HEAD}weight"]
        turned = [weight[:, fast_channels:], weight[:, :fast_channels]]  # to [slow, fast]
        state[f"{OUR_HEAD}weight"] = torch.cat(turned, dim=1)
    return {_their_name(scheme, name, roi): value for name, value in state.items()}


def _their_name(scheme: NamingScheme, name: str, roi: bool) -> str:
    return scheme.name(name, roi=roi)


def write_caffe2(path: Path, state: dict[str, Tensor]) -> None:
    """A pickle as PySlowFast's model zoo has them, from PySlowFast's names."""
    blobs = {
        _caffe2_name(name): value.numpy()
        for name, value in state.items()
        if not name.endswith("num_batches_tracked")
    }
    blobs |= {f"{name}_momentum": blob for name, blob in list(blobs.items())[:3]}
    with path.open("wb") as file:
        pickle.dump({"blobs": blobs, "lr": 0.1}, file, protocol=2)


def _caffe2_name(name: str) -> str:
    if name.startswith("head.projection."):
        return f"pred_{name[16]}"
    module, _, leaf = name.rpartition(".")
    is_norm = "bn" in module
    end = {
        "weight": "bn_s" if is_norm else "w",
        "bias": "bn_b",
        "running_mean": "bn_rm",
        "running_var": "bn_riv",
    }[leaf]
    if match := re.match(r"s1\.pathway(\d)_stem", module):
        return ("t_" if match[1] == "1" else "") + ("res_conv1_" if is_norm else "conv1_") + end
    if match := re.match(r"s(\d)_fuse", module):
        stage = int(match[1])
        before = "t_pool1" if stage == 1 else f"t_res{stage}_1_branch2c_bn"
        return f"{before}_subsample_{end}"
    if match := re.match(r"s(\d)\.pathway0_nonlocal(\d+)\.(?:conv_(\w+)|bn)", module):
        part = f"{match[3]}_{leaf[0]}" if match[3] else end
        return f"nonlocal_conv{match[1]}_{match[2]}_{part}"
    match = re.match(r"s(\d)\.pathway(\d)_res(\d+)\.branch(\d)(?:\.([abc]))?", module)
    assert match is not None, name
    fast = "t_" if match[2] == "1" else ""
    return f"{fast}res{match[1]}_{match[3]}_branch{match[4]}{match[5] or ''}_{end}"


def clip_of(model: Recognizer3D) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 16, 48, 64, generator=generator)


def same_logits(loaded: Recognizer3D, model: Recognizer3D, sampling: str) -> None:
    """The file's owner picks slow frames by its own rule; the rest is the network's."""
    model.input_spec = replace(model.input_spec, slow_sampling=sampling)
    with torch.inference_mode():
        torch.testing.assert_close(
            loaded(clip_of(model)), model(clip_of(model)), rtol=1e-4, atol=1e-4
        )


def save(model: Recognizer3D, marker: str, path: Path, **beside: Any) -> Path:
    container = "state_dict" if "backbone" in marker else "model_state"
    torch.save({container: in_naming_scheme(model, marker)} | beside, path)
    return path
