"""The network of this project's own appearance features: small, of people alone.

The first eleven blocks of EfficientNet-Lite0 (inverted residuals as in MobileNetV2, Sandler et al.
2018, arXiv 1801.04381; sizes of github.com/tensorflow/tpu, Apache-2.0), then a mean over columns
alone: a person's head is at the top of its box, and has weights of its own there. Batch norms are
merged into the convolutions.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from safetensors.torch import load_file
from torch import Tensor, nn

INPUT_WH = (64, 128)  # pixels
FEATURES = 256
STEM_CHANNELS = 32
STRIDE = 16  # of the whole network
WEIGHTS = Path(__file__).parents[1] / "weights/person_appearance.safetensors"


class BlockSpec(NamedTuple):
    """Sizes of one inverted residual."""

    kernel: int
    stride: int
    expansion: int
    channels: int


BLOCKS = (
    BlockSpec(3, 1, 1, 16),
    BlockSpec(3, 2, 6, 24),
    BlockSpec(3, 1, 6, 24),
    BlockSpec(5, 2, 6, 40),
    BlockSpec(5, 1, 6, 40),
    BlockSpec(3, 2, 6, 80),
    BlockSpec(3, 1, 6, 80),
    BlockSpec(3, 1, 6, 80),
    BlockSpec(5, 1, 6, 112),
    BlockSpec(5, 1, 6, 112),
    BlockSpec(5, 1, 6, 112),
)


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; the input is added where shapes allow."""

    def __init__(self, channels: int, spec: BlockSpec) -> None:
        super().__init__()
        wide = channels * spec.expansion
        layers: list[nn.Module] = []
        if spec.expansion > 1:
            layers += [nn.Conv2d(channels, wide, 1), nn.ReLU6()]
        padding = spec.kernel // 2
        filtering = nn.Conv2d(wide, wide, spec.kernel, spec.stride, padding, groups=wide)
        layers += [filtering, nn.ReLU6(), nn.Conv2d(wide, spec.channels, 1)]
        self.layers = nn.Sequential(*layers)
        self._adds = spec.stride == 1 and channels == spec.channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride)."""
        y: Tensor = self.layers(x)
        return x + y if self._adds else y


class AppearanceNetwork(nn.Module):
    """People in, features out: (N, 3, 128, 64) RGB, (value - 127) / 128 -> (N, 256)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, STEM_CHANNELS, 3, 2, 1), nn.ReLU6())
        blocks: list[nn.Module] = []
        channels = STEM_CHANNELS
        for spec in BLOCKS:
            blocks.append(InvertedResidual(channels, spec))
            channels = spec.channels
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(channels * INPUT_WH[1] // STRIDE, FEATURES)

    def rows(self, people: Tensor) -> Tensor:
        """Describe the stripes of each person, float32 (N, 896)."""
        return self.blocks(self.stem(people)).mean(3).flatten(1)  # type: ignore[no-any-return]

    def forward(self, people: Tensor) -> Tensor:
        """Compute one feature per person, see the class; their length is not 1."""
        features: Tensor = self.head(self.rows(people))
        return features


def load_appearance_network(weights: Path = WEIGHTS) -> AppearanceNetwork:
    """Load the network with its weights, in eval mode.

    Raises:
        FileNotFoundError: if the file is not there.
    """
    if not weights.is_file():
        raise FileNotFoundError(f"no weights of the appearance network at {weights}")
    network = AppearanceNetwork()
    network.load_state_dict({name: value.float() for name, value in load_file(weights).items()})
    return network.eval()
