"""Translate the names of weights in Caffe2 files into PySlowFast's.

The oldest models of PySlowFast's model zoo have this form. `t_` is the fast pathway, a lateral is
the `subsample` of what stands before it, `s`, `b`, `rm`, `riv` are a batch norm's weight, bias,
mean and variance. Facts from PySlowFast, slowfast/utils/c2_model_loading.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

_LEAF = r"(?P<leaf>w|bn_s|bn_b|bn_rm|bn_riv)"
_STEM = re.compile(rf"(?P<fast>t_)?(?:res_)?conv1_{_LEAF}")
_FIRST_LATERAL = re.compile(rf"t_pool1_subsample_{_LEAF}")
_LATERAL = re.compile(rf"t_res(?P<stage>\d)_\d+_branch2c_bn_subsample_{_LEAF}")
_BLOCK = re.compile(
    rf"(?P<fast>t_)?res(?P<stage>\d)_(?P<index>\d+)_branch(?P<branch>1|2)(?P<conv>[abc]?)_{_LEAF}"
)
_NON_LOCAL = re.compile(
    r"nonlocal_conv(?P<stage>\d)_(?P<index>\d+)_"
    r"(?:(?P<conv>theta|phi|g|out)_(?P<of_conv>w|b)|(?P<of_norm>bn_s|bn_b|bn_rm|bn_riv))"
)
_CONV_LEAVES = {"w": "weight", "b": "bias"}
_NORM_LEAVES = {
    "bn_s": "weight",
    "bn_b": "bias",
    "bn_rm": "running_mean",
    "bn_riv": "running_var",
}
_HEAD = {"pred_w": "head.projection.weight", "pred_b": "head.projection.bias"}
_OF_TRAINING = re.compile(r"lr|model_iter|.*_momentum")  # the optimiser's, not the network's


def from_caffe2(blobs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights as PySlowFast does; an unknown name is kept."""
    return {
        pyslowfast_name(name): blob
        for name, blob in blobs.items()
        if not _OF_TRAINING.fullmatch(name)
    }


def pyslowfast_name(name: str) -> str:
    """Translate a name, e.g. `t_res4_0_branch2b_bn_s` -> `s4.pathway1_res0.branch2.b_bn.weight`."""
    if name in _HEAD:
        return _HEAD[name]
    if match := _STEM.fullmatch(name):
        module, norm = f"s1.pathway{_pathway(match)}_stem", ".bn"
        return f"{module}{_parameter(match, conv='.conv', norm=norm)}"
    if match := _FIRST_LATERAL.fullmatch(name):
        return f"s1_fuse{_parameter(match, conv='.conv_f2s', norm='.bn')}"
    if match := _LATERAL.fullmatch(name):
        return f"s{match['stage']}_fuse{_parameter(match, conv='.conv_f2s', norm='.bn')}"
    if match := _NON_LOCAL.fullmatch(name):
        block = f"s{match['stage']}.pathway0_nonlocal{match['index']}"
        if match["conv"]:
            return f"{block}.conv_{match['conv']}.{_CONV_LEAVES[match['of_conv']]}"
        return f"{block}.bn.{_NORM_LEAVES[match['of_norm']]}"
    if match := _BLOCK.fullmatch(name):
        module = f"s{match['stage']}.pathway{_pathway(match)}_res{match['index']}"
        branch = f".branch{match['branch']}" + (f".{match['conv']}" if match["conv"] else "")
        return f"{module}{branch}{_parameter(match, conv='', norm='_bn')}"
    return name


def _pathway(match: re.Match[str]) -> int:
    return 1 if match["fast"] else 0


def _parameter(match: re.Match[str], *, conv: str, norm: str) -> str:
    leaf = match["leaf"]
    return f"{conv}.weight" if leaf == "w" else f"{norm}.{_NORM_LEAVES[leaf]}"
