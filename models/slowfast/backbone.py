"""What the backbones share: how training treats their parts. Read it after `slowfast`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

from torch import nn

from models.slowfast.residual_blocks import ResidualStage
from models.slowfast.resnet3d import STAGES


class Backbone(nn.Module, ABC):
    """A network from clips to features, of which training may leave parts as they are."""

    def __init__(self) -> None:
        super().__init__()
        self._frozen_stages, self._norm_eval = -1, False

    @property
    @abstractmethod
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the features, slow first."""

    @abstractmethod
    def modules_up_to(self, stage_count: int) -> list[nn.Module]:
        """Return the stems, the first stages of every pathway and the laterals between them.

        Args:
            stage_count: 0 for the stems alone, 4 for res2..res5.
        """

    def configure_training(
        self,
        *,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        activation_checkpointing: bool = False,
    ) -> None:
        """Choose what is trained, and how much memory that takes.

        Args:
            frozen_stages: -1 freezes nothing, 0 the stems, n the stems and the first n of
                res2..res5 with the laterals between them, as in mmaction2.
            norm_eval: batch norms keep their running statistics.
            activation_checkpointing: activations inside a block are computed again in the
                backward pass instead of kept.

        Raises:
            ValueError: if there are not that many stages.
        """
        if not -1 <= frozen_stages <= len(STAGES):
            raise ValueError(f"frozen_stages is -1 (none) to {len(STAGES)}, not {frozen_stages}")
        self._frozen_stages, self._norm_eval = frozen_stages, norm_eval
        for module in self.modules():
            if isinstance(module, ResidualStage):
                module.recompute_activations = activation_checkpointing
        self.requires_grad_(True)
        for module in self._frozen():
            module.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set the training mode, except for what is frozen."""
        super().train(mode)
        for module in self._frozen():
            module.eval()
        if self._norm_eval:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm3d):
                    module.eval()
        return self

    def _frozen(self) -> list[nn.Module]:
        return [] if self._frozen_stages < 0 else self.modules_up_to(self._frozen_stages)
