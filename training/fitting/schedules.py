"""How the learning rate goes over a run, as a share of its highest value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Linear warm-up, then half a cosine to zero, or steps."""

    steps: int  # of the run
    name: Literal["cosine", "step"] = "cosine"
    warm_up_fraction: float = 0.05  # of the steps
    step_at: Sequence[float] = ()  # shares of the run at which the learning rate falls
    step_factor: float = 0.1

    def factor(self, step: int) -> float:
        """Of the highest learning rate, for step 0 and on; above 0 while the run lasts."""
        warm_up = round(self.warm_up_fraction * self.steps)
        if step < warm_up:
            return (step + 1) / (warm_up + 1)
        if self.name == "step":
            fallen = sum(step >= at * self.steps for at in self.step_at)
            return float(self.step_factor**fallen)
        done = (step - warm_up) / max(1, self.steps - warm_up)
        return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
