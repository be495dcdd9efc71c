"""The interface between a learner and its method for the unlabelled pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from partialseg.engine.compute import Compute

Heads = tuple[Tensor, ...]  # logits (N, C, H, W) of each head of a network in training


@dataclass(frozen=True, kw_only=True)
class Part:
    """The part of a step that a method computes its term from.

    images (N, 3, H, W), uint8, and labels (N, H, W), int64, are on compute's device. outputs are
    those of the network in training for these images, and network() computes them for others;
    scored is the network that is scored and saved (the average of the weights, if there is one).
    step counts from 0 to steps - 1; draw is the seed of all random draws.
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

    def zero(self) -> Tensor:
        """Return a term of 0, without a gradient."""
        return torch.zeros((), device=self.compute.device)


def has_image(images: Tensor) -> Tensor:
    """Return where images (N, 3, H, W), uint8, show anything: bool (N, H, W).

    Where an orthophoto has no image, patches are black, and so is what an affine move brings in.
    """
    return (images != 0).any(dim=1)


class Method(Protocol):
    """A term that unlabelled pixels add to the loss."""

    def term(self, part: Part) -> Tensor:
        """Return the weighted term of a part, a scalar, as a mean over its images."""

    def state(self) -> dict[str, Any]:
        """Return what restore() takes, as plain types and tensors."""

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from the state of another method of the same parameters."""


class Stateless:
    """Base of the methods that keep no state from step to step."""

    def state(self) -> dict[str, Any]:
        """Return an empty state."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Do nothing: there is no state."""
