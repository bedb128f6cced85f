"""Find the weights of networks among everything that a training run saved.

A file may hold several state dicts (raw and averaged weights), a state dict several networks, and
wrappers of a network put their own names in front of, or between, the network's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from models.checkpoints.naming_schemes import NAMING_SCHEMES, NamingScheme

# Where libraries put the weights among the other things of a training run.
USUAL_KEYS = ("state_dict", "model_state", "model_state_dict", "model", "net", "network")
MAX_DEPTH = 3  # of dicts in dicts

# Modules that wrap another one for training: several GPUs, compilation, sharding. No network that
# this program knows has a module of such a name.
_WRAPPERS = frozenset(
    {"module", "_orig_mod", "_fsdp_wrapped_module", "_fpw_module", "_checkpoint_wrapped_module"}
    | {"_forward_module", "_ddp_module"}
)
_AVERAGED = re.compile(r"(^|[._/])(ema|swa|avg|averaged?|shadow)([._/]|$)")
_LOSS = re.compile(r"(^|[._])(loss\w*|criterion)\.|(^|[._])(class|pos)_weights?$")
_FLAT_AVERAGE = re.compile(r"ema_[^.]+")  # mmcv's EMAHook: a buffer per weight, no dots


@dataclass(frozen=True, slots=True, eq=False)
class NamedWeights:
    """The weights of one network of a file."""

    key: str  # of the state dict, and what stands in front of the network's names; "" for neither
    tensors: dict[str, Tensor]
    ignored: tuple[str, ...]  # names that are of a loss or of the training

    @property
    def averaged(self) -> bool:
        """Whether the key looks like that of a moving average of the weights."""
        return _AVERAGED.search(self.key) is not None


def find_state_dicts(content: Mapping[Any, Any]) -> dict[str, dict[str, Tensor]]:
    """Find the dicts that hold tensors by name.

    Args:
        content: of a PyTorch file.

    Returns:
        Tensors by name, by the path of keys to their dict, joined by dots; "" is `content` itself.
        The usual keys come first.
    """
    found = dict(_tensor_dicts(content, "", MAX_DEPTH))
    usual = {key: index for index, key in enumerate(USUAL_KEYS)}
    order = sorted(found, key=lambda key: usual.get(key.partition(".")[0], len(usual)))
    return {key: found[key] for key in order}


def _tensor_dicts(
    content: Mapping[Any, Any], path: str, depth: int
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    tensors = {
        key: value
        for key, value in content.items()
        if isinstance(key, str) and isinstance(value, Tensor)
    }
    if tensors:
        yield path, tensors
    if depth:
        for key, value in content.items():
            if isinstance(key, str) and isinstance(value, Mapping):
                inner = f"{path}.{key}" if path else key
                yield from _tensor_dicts(value, inner, depth - 1)


def find_networks(state_dicts: Mapping[str, Mapping[str, Tensor]]) -> list[NamedWeights]:
    """Find the SlowFast networks of other libraries, with the names that their libraries know.

    Args:
        state_dicts: of `find_state_dicts`.
    """
    return [
        network
        for key, tensors in state_dicts.items()
        for network in _networks_of(key, without_wrappers(tensors))
    ]


def choose_network(networks: Sequence[NamedWeights], key: str | None) -> NamedWeights:
    """Choose one network of a file.

    Args:
        networks: at least one.
        key: of the wanted one; None: the one of the usual key that is no average.

    Raises:
        ValueError: if there is none of that key, or it is not clear which is meant.
    """
    keys = ", ".join(network.key or '""' for network in networks)
    if key is not None:
        of_key = [one for one in networks if key in (one.key, one.key.partition(".")[0])]
        exact = [one for one in of_key if one.key == key]
        if len(exact or of_key) != 1:
            raise ValueError(f"it has no weights {key!r}; there are {keys}")
        return (exact or of_key)[0]
    raw = [network for network in networks if not network.averaged] or list(networks)
    first = raw[0].key.partition(".")[0]
    if len(raw) > 1 and (first not in USUAL_KEYS or raw[1].key.partition(".")[0] == first):
        raise ValueError(f"it holds several networks, {keys}: name the one that is meant")
    return raw[0]


def without_wrappers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take the names of wrappers out, wherever they stand; as they are if two become one."""
    bare = {
        ".".join(part for part in name.split(".") if part not in _WRAPPERS): tensor
        for name, tensor in tensors.items()
    }
    return bare if len(bare) == len(tensors) else dict(tensors)


def _networks_of(key: str, tensors: Mapping[str, Tensor]) -> Iterator[NamedWeights]:
    roots = sorted({root for name in tensors if (root := _root(name, tensors)) is not None})
    for root in roots:
        inner = [other for other in roots if other != root and other.startswith(root)]
        own = {
            name.removeprefix(root): tensor
            for name, tensor in tensors.items()
            if name.startswith(root) and not name.startswith(tuple(inner))
        }
        ignored = tuple(name for name, tensor in own.items() if _of_training(name, tensor))
        yield NamedWeights(
            ".".join(filter(None, (key, root.rstrip(".")))),
            {name: tensor for name, tensor in own.items() if name not in ignored},
            ignored,
        )


def _root(name: str, tensors: Mapping[str, Tensor]) -> str | None:
    """Return what stands in front of a scheme's marker; None if the name is no marker."""
    for scheme in NAMING_SCHEMES:
        if name == scheme.marker or name.endswith(f".{scheme.marker}"):
            return _of_boxes(name.removesuffix(scheme.marker), scheme, tensors)
    return None


def _of_boxes(root: str, scheme: NamingScheme, tensors: Mapping[str, Tensor]) -> str:
    """Leave a network for boxes the prefix that its backbone has and its head has not."""
    outer = root.removesuffix(scheme.roi_prefix)
    is_head = f"{outer}{scheme.roi_head}.weight" in tensors
    return outer if scheme.roi_prefix and is_head else root


def _of_training(name: str, tensor: Tensor) -> bool:
    """Whether it is a weight of a loss, a counter beside the network, or an average of mmcv."""
    if "." not in name:
        return tensor.numel() == 1 or _FLAT_AVERAGE.fullmatch(name) is not None
    return tensor.ndim <= 1 and _LOSS.search(name) is not None
