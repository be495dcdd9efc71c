"""What a method for the unlabelled pixels is to a learner."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from partialseg.engine.compute import Compute

Heads = tuple[Tensor, ...]  # logits (N, C, H, W) of each head of a network in training


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a method sees of a part of a step.

    images (N, 3, H, W), uint8, and labels (N, H, W), int64, lie on compute's device. outputs are
    those of the network in training on these images, and network() gives them on others; scored
    is the network that is scored. step counts from 0 to steps; draw is the seed of all chance.
    """

    images: Tensor
    labels: Tensor
    outputs: Heads
    network: Callable[[Tensor], Heads]
    scored: nn.Module
    compute: Compute
    step: int
    steps: int
    draw: int

    def nothing(self) -> Tensor:
        """Return a term of 0 that has no gradient."""
        return torch.zeros((), device=self.compute.device)


class Method(Protocol):
    """A term that unlabelled pixels add to the loss."""

    def term(self, part: Part) -> Tensor:
        """Return the weighted term of a part, a scalar, as a mean over its images."""

    def state(self) -> dict[str, Any]:
        """Return what restore() takes, as plain types and tensors."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where another method of the same parameters stopped."""


class Stateless:
    """The state of a method that carries nothing from step to step."""

    def state(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take nothing."""
