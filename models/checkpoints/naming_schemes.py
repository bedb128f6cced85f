"""How libraries name the weights of the same network, and which other conventions go with that.

A naming scheme translates a name of ours into the library's and not the other way round, so that
messages contain the names of the user's file.

    ours                  mmaction2                          PySlowFast        pytorchvideo
    backbone.slow.stem    backbone.slow_path.conv1           s1.pathway0_stem  blocks.0, pathway 0
    backbone.fast.res2.1  backbone.fast_path.layer1.1        s2.pathway1_res1  blocks.1, pathway 1
    backbone.laterals.0   backbone.slow_path.conv1_lateral   s1_fuse           blocks.0, fusion
    backbone.laterals.1   backbone.slow_path.layer1_lateral  s2_fuse           blocks.1, fusion
    cls_head.fc_cls       cls_head.fc_cls                    head.projection   blocks.6.proj
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

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
    """One library's names and conventions."""

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
        """Translate a name.

        Args:
            ours: name of a weight in `Recognizer3D.state_dict`.
            roi: the network is one for boxes.

        Returns:
            The library's name.
        """
        if ours.startswith(OUR_HEAD):
            head = self.roi_head if roi else self.head
            return f"{head}.{ours.removeprefix(OUR_HEAD)}"
        return (self.roi_prefix if roi else "") + self.rename(ours)


_BLOCK = re.compile(
    r"backbone\.(slow|fast)\.res(\d)\.(\d+)\.(?:conv(\d)|downsample)\.(conv|bn)\.(.*)"
)
_NON_LOCAL = re.compile(r"backbone\.slow\.res(\d)\.(\d+)\.non_local\.(theta|phi|g|out|bn)\.(.*)")
_STAGE = re.compile(r"backbone\.(slow|fast)\.res(\d)\.(.*)")
_LATERAL = re.compile(r"backbone\.laterals\.(\d)\.(conv|bn)\.(.*)")
_STEM = re.compile(r"backbone\.(slow|fast)\.stem\.(conv|bn)\.(.*)")
_NUMBER = {"slow": 0, "fast": 1}


def _mmaction2_name(name: str) -> str:
    """`layer1`..`layer4` are res2..res5; a lateral has the name of what it starts behind."""
    if stage := _STAGE.fullmatch(name):
        path, number, rest = stage.groups()
        return f"backbone.{path}_path.layer{int(number) - 1}.{rest}"
    if lateral := _LATERAL.fullmatch(name):
        number, kind, leaf = lateral.groups()
        behind = f"layer{number}" if int(number) else "conv1"
        return f"backbone.slow_path.{behind}_lateral.{kind}.{leaf}"
    if stem := _STEM.fullmatch(name):
        path, kind, leaf = stem.groups()
        return f"backbone.{path}_path.conv1.{kind}.{leaf}"
    return name


def _mmaction2_slowonly_name(name: str) -> str:
    """SlowOnly has no second pathway to tell apart."""
    return _mmaction2_name(name).replace("backbone.slow_path.", "backbone.")


def _pytorchvideo_name(name: str) -> str:
    """`blocks.0` is the stem, `blocks.1`..`blocks.4` are res2..res5."""
    if block := _BLOCK.fullmatch(name):
        path, stage, index, number, kind, leaf = block.groups()
        kind = kind.replace("bn", "norm")
        part = f"branch2.{kind}_{'abc'[int(number) - 1]}" if number else f"branch1_{kind}"
        blocks = f"blocks.{int(stage) - 1}.multipathway_blocks.{_NUMBER[path]}.res_blocks"
        return f"{blocks}.{index}.{part}.{leaf}"
    if lateral := _LATERAL.fullmatch(name):
        number, kind, leaf = lateral.groups()
        part = "conv_fast_to_slow" if kind == "conv" else "norm"
        return f"blocks.{number}.multipathway_fusion.{part}.{leaf}"
    if stem := _STEM.fullmatch(name):
        path, kind, leaf = stem.groups()
        part = kind.replace("bn", "norm")
        return f"blocks.0.multipathway_blocks.{_NUMBER[path]}.{part}.{leaf}"
    return name


def _pytorchvideo_slow_name(name: str) -> str:
    """One pathway has no list of pathways."""
    return _pytorchvideo_name(name).replace("multipathway_blocks.0.", "")


def _pyslowfast_name(name: str) -> str:
    """`s1` is the stem, `s2`..`s5` are res2..res5, `s1_fuse` is the lateral behind the stem."""
    if block := _BLOCK.fullmatch(name):
        path, stage, index, number, kind, leaf = block.groups()
        norm = "_bn" if kind == "bn" else ""
        part = f"branch2.{'abc'[int(number) - 1]}{norm}" if number else f"branch1{norm}"
        return f"s{stage}.pathway{_NUMBER[path]}_res{index}.{part}.{leaf}"
    if non_local := _NON_LOCAL.fullmatch(name):
        stage, index, part, leaf = non_local.groups()
        part = part if part == "bn" else f"conv_{part}"
        return f"s{stage}.pathway0_nonlocal{index}.{part}.{leaf}"
    if lateral := _LATERAL.fullmatch(name):
        number, kind, leaf = lateral.groups()
        return f"s{int(number) + 1}_fuse.{'conv_f2s' if kind == 'conv' else 'bn'}.{leaf}"
    if stem := _STEM.fullmatch(name):
        path, kind, leaf = stem.groups()
        return f"s1.pathway{_NUMBER[path]}_stem.{kind}.{leaf}"
    return name


# Files of this program. Until format 2 the backbone had mmaction2's names.
OURS = NamingScheme(
    library="behaviour-stream",
    marker="backbone.slow.stem.conv.weight",
    rename=str,
    head="cls_head.fc_cls",
    roi_head="cls_head.fc_cls",
    fast_first=True,
)
OURS_UNTIL_FORMAT_2 = replace(
    OURS, marker="backbone.slow_path.conv1.conv.weight", rename=_mmaction2_name
)
# Files of other libraries.
MMACTION2 = NamingScheme(
    library="mmaction2",
    marker="backbone.slow_path.conv1.conv.weight",
    rename=_mmaction2_name,
    head="cls_head.fc_cls",
    roi_head="roi_head.bbox_head.fc_cls",
    fast_first=True,
    slow_sampling="stride",
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    roi_resolution=8,
    roi_dilation=1,
)
MMACTION2_SLOWONLY = replace(
    MMACTION2,
    marker="backbone.conv1.conv.weight",
    rename=_mmaction2_slowonly_name,
    fast_first=False,  # there is no fast pathway
)
PYTORCHVIDEO = NamingScheme(
    library="pytorchvideo",
    marker="blocks.0.multipathway_blocks.0.conv.weight",
    rename=_pytorchvideo_name,
    head="blocks.6.proj",
    roi_head="detection_head.proj",
    roi_prefix="model.",
    roi_aligned=False,
)
PYTORCHVIDEO_SLOW = replace(
    PYTORCHVIDEO,
    marker="blocks.0.conv.weight",
    rename=_pytorchvideo_slow_name,
    head="blocks.5.proj",
)
PYSLOWFAST = NamingScheme(
    library="PySlowFast",
    marker="s1.pathway0_stem.conv.weight",
    rename=_pyslowfast_name,
    head="head.projection",
    roi_head="head.projection",
)
NAMING_SCHEMES = (MMACTION2, MMACTION2_SLOWONLY, PYTORCHVIDEO, PYTORCHVIDEO_SLOW, PYSLOWFAST)


def find_naming_scheme(names: Iterable[str]) -> NamingScheme | None:
    """Find the library that wrote a file.

    Args:
        names: of the file's weights.

    Returns:
        The scheme whose marker is among them; None if there is none.
    """
    names = set(names)
    for scheme in NAMING_SCHEMES:
        if scheme.marker in names or scheme.roi_prefix + scheme.marker in names:
            return scheme
    return None
