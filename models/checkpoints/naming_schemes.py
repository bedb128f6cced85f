"""How the libraries name the weights of one and the same network, and what else they differ in.

Our own names are mmaction2's. A scheme translates one of ours into the library's, so that
messages speak of the names that stand in the user's file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from models.slowfast.input_spec import (
    FACEBOOK_MEAN,
    FACEBOOK_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
    RgbTriple,
)
from models.slowfast.slowfast import SlowSampling

OUR_HEAD = "cls_head.fc_cls."


@dataclass(frozen=True, slots=True, kw_only=True)
class NamingScheme:
    """One library's names and habits."""

    library: str
    marker: str  # a name that only files of this scheme have
    rename: Callable[[str], str]  # our name of a backbone's weight -> the library's
    head: str  # the classifier, in front of .weight and .bias
    roi_head: str  # the same in a network for boxes
    roi_prefix: str = ""  # in front of the backbone's names in a network for boxes
    fast_first: bool = False  # columns of a clip's classifier; a box's are [slow, fast] everywhere
    slow_sampling: SlowSampling = "linspace"
    mean: RgbTriple = FACEBOOK_MEAN  # RGB on 0..255
    std: RgbTriple = FACEBOOK_STD
    # What the weights of a network for boxes do not show.
    roi_resolution: int = 7
    roi_aligned: bool = True
    roi_dilation: int = 2  # of res5

    def name(self, ours: str, *, roi: bool) -> str:
        """What the library calls the weight that is `ours` here."""
        if ours.startswith(OUR_HEAD):
            head = self.roi_head if roi else self.head
            return f"{head}.{ours.removeprefix(OUR_HEAD)}"
        return (self.roi_prefix if roi else "") + self.rename(ours)


_BLOCK = re.compile(
    r"backbone\.(slow|fast)_path\.layer(\d)\.(\d+)\.(conv(\d)|downsample)\.(conv|bn)\.(.*)"
)
_NON_LOCAL = re.compile(
    r"backbone\.slow_path\.layer(\d)\.(\d+)\.non_local\.(theta|phi|g|out|bn)\.(.*)"
)
_LATERAL = re.compile(r"backbone\.slow_path\.(conv1|layer(\d))_lateral\.(conv|bn)\.(.*)")
_STEM = re.compile(r"backbone\.(slow|fast)_path\.conv1\.(conv|bn)\.(.*)")
_NUMBER = {"slow": 0, "fast": 1}


def _slowonly_name(name: str) -> str:
    """SlowOnly of mmaction2 has no second pathway to tell apart."""
    return name.replace("backbone.slow_path.", "backbone.")


def _pytorchvideo_name(name: str) -> str:
    """`blocks.N` are stem and stages; every pathway has its own list of residual blocks."""
    if block := _BLOCK.fullmatch(name):
        path, stage, index, _, number, kind, leaf = block.groups()
        kind = kind.replace("bn", "norm")
        part = f"branch2.{kind}_{'abc'[int(number) - 1]}" if number else f"branch1_{kind}"
        return (
            f"blocks.{stage}.multipathway_blocks.{_NUMBER[path]}.res_blocks.{index}.{part}.{leaf}"
        )
    if lateral := _LATERAL.fullmatch(name):
        _, stage, kind, leaf = lateral.groups()
        part = "conv_fast_to_slow" if kind == "conv" else "norm"
        return f"blocks.{stage or 0}.multipathway_fusion.{part}.{leaf}"
    if stem := _STEM.fullmatch(name):
        path, kind, leaf = stem.groups()
        part = kind.replace("bn", "norm")
        return f"blocks.0.multipathway_blocks.{_NUMBER[path]}.{part}.{leaf}"
    return name


def _pytorchvideo_slow_name(name: str) -> str:
    """One pathway: the lists of pathways are not there."""
    return _pytorchvideo_name(name).replace("multipathway_blocks.0.", "")


def _pyslowfast_name(name: str) -> str:
    """`s1` is the stem, `s2`..`s5` are the stages."""
    if block := _BLOCK.fullmatch(name):
        path, stage, index, _, number, kind, leaf = block.groups()
        norm = "_bn" if kind == "bn" else ""
        part = f"branch2.{'abc'[int(number) - 1]}{norm}" if number else f"branch1{norm}"
        return f"s{int(stage) + 1}.pathway{_NUMBER[path]}_res{index}.{part}.{leaf}"
    if non_local := _NON_LOCAL.fullmatch(name):
        stage, index, part, leaf = non_local.groups()
        part = part if part == "bn" else f"conv_{part}"
        return f"s{int(stage) + 1}.pathway0_nonlocal{index}.{part}.{leaf}"
    if lateral := _LATERAL.fullmatch(name):
        _, stage, kind, leaf = lateral.groups()
        return f"s{int(stage or 0) + 1}_fuse.{'conv_f2s' if kind == 'conv' else 'bn'}.{leaf}"
    if stem := _STEM.fullmatch(name):
        path, kind, leaf = stem.groups()
        return f"s1.pathway{_NUMBER[path]}_stem.{kind}.{leaf}"
    return name


NAMING_SCHEMES = (
    NamingScheme(
        library="mmaction2",
        marker="backbone.slow_path.conv1.conv.weight",
        rename=str,  # the names are ours
        head="cls_head.fc_cls",
        roi_head="roi_head.bbox_head.fc_cls",
        fast_first=True,
        slow_sampling="stride",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        roi_resolution=8,
        roi_dilation=1,
    ),
    NamingScheme(
        library="mmaction2",
        marker="backbone.conv1.conv.weight",
        rename=_slowonly_name,
        head="cls_head.fc_cls",
        roi_head="roi_head.bbox_head.fc_cls",
        slow_sampling="stride",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        roi_resolution=8,
        roi_dilation=1,
    ),
    NamingScheme(
        library="pytorchvideo",
        marker="blocks.0.multipathway_blocks.0.conv.weight",
        rename=_pytorchvideo_name,
        head="blocks.6.proj",
        roi_head="detection_head.proj",
        roi_prefix="model.",
        roi_aligned=False,
    ),
    NamingScheme(
        library="pytorchvideo",
        marker="blocks.0.conv.weight",
        rename=_pytorchvideo_slow_name,
        head="blocks.5.proj",
        roi_head="detection_head.proj",
        roi_prefix="model.",
        roi_aligned=False,
    ),
    NamingScheme(
        library="PySlowFast",
        marker="s1.pathway0_stem.conv.weight",
        rename=_pyslowfast_name,
        head="head.projection",
        roi_head="head.projection",
    ),
)


def find_naming_scheme(names: Iterable[str]) -> NamingScheme | None:
    """The scheme whose marker is among the names of a file's weights."""
    names = set(names)
    for scheme in NAMING_SCHEMES:
        if scheme.marker in names or scheme.roi_prefix + scheme.marker in names:
            return scheme
    return None
