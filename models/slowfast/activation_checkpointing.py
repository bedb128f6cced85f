"""Activation checkpointing: less memory in training, for a second forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import cast

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def checkpointed(block: nn.Module, x: Tensor) -> Tensor:
    """`block(x)`, whose inner activations are not kept but computed again in the backward pass.

    The running statistics of batch norms count the clip once, not twice as with a bare
    `torch.utils.checkpoint` (and in mmaction2's `with_cp`).
    """

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _kept_statistics(block)  # of the first and of the second pass

    return cast(Tensor, checkpoint(block, x, use_reentrant=False, context_fn=contexts))


@contextmanager
def _kept_statistics(block: nn.Module) -> Iterator[None]:
    norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm3d)]
    kept = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm.num_batches_tracked = None
    try:
        yield
    finally:
        for norm, momentum, count in kept:
            norm.momentum = momentum
            norm.num_batches_tracked = count
