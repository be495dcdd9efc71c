"""The optimiser of a network: Adam, AdamW, or Muon, whose steps are orthogonal matrices."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from partialseg.training.params import Train

# Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/
MOMENTUM = 0.95
QUINTIC = 3.4445, -4.7750, 2.0315  # steep at 0; singular values end in about 0.7..1.2
ITERATIONS = 5
TINY = 1e-7


def make_optimizer(network: nn.Module, params: Train) -> "Optimizer | Together":
    """Return the optimiser of all parameters of a network.

    adam; adamw, which decouples weight decay from the gradient (arXiv:1711.05101); or muon for the
    kernels of convolutions, with adamw for biases, BatchNorm and the heads, which are 1 x 1 px.
    """
    rate, decay = params.learning_rate, params.weight_decay
    weights = list(network.parameters())
    if params.optimizer == "adam":
        return Adam(weights, lr=rate, weight_decay=decay, fused=True)
    if params.optimizer == "adamw":
        return AdamW(weights, lr=rate, weight_decay=decay, fused=True)
    kernels = [weight for weight in weights if _is_kernel(weight)]
    others = [weight for weight in weights if not _is_kernel(weight)]
    adamw = AdamW(others, lr=rate, weight_decay=decay, fused=True)
    return Together(Muon(kernels, rate, decay), adamw)


def _is_kernel(weight: Tensor) -> bool:
    return weight.ndim == 4 and weight.shape[2:] != (1, 1)


class Together:
    """Optimisers of different parameters that step as one.

    A gradient scaler, which takes this for an optimiser, so skips the steps of all of them where
    one of their gradients has overflowed float16.
    """

    def __init__(self, *optimizers: Optimizer) -> None:
        self._optimizers = optimizers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all optimisers, in their order."""
        return [group for optimizer in self._optimizers for group in optimizer.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none)

    def step(self) -> None:
        """Move the parameters of each optimiser."""
        for optimizer in self._optimizers:
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Return what load_state_dict() takes."""
        return {"optimizers": [optimizer.state_dict() for optimizer in self._optimizers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the state of equal optimisers."""
        for optimizer, stored in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(stored)


class Muon(Optimizer):
    """Steps along the momentum of the gradient, orthogonalised as a matrix.

    Its rows are the filters of a convolution, or the input channels of a transposed one. A step is
    about equally long in all directions of the matrix, also in those of which the gradient has
    little. It has the root mean square of Adam's steps (Liu et al. 2025,
    arXiv:2502.16982), so learning rate and weight decay are of the size that AdamW needs.
    torch.optim.Muon refuses kernels, and computes in bfloat16, which many CPUs lack.

    Args:
        kernels: parameters of two dimensions or more, of which the first counts rows.
        lr: the learning rate.
        weight_decay: decoupled from the gradient, as in AdamW.
    """

    def __init__(self, kernels: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(kernels, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every kernel that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.grad is not None:
                    self._move(kernel, kernel.grad, group["lr"], group["weight_decay"])

    def _move(self, kernel: Tensor, gradient: Tensor, rate: float, decay: float) -> None:
        state = self.state[kernel]
        if not state:
            state["momentum"] = torch.zeros_like(kernel)
        momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        matrix = gradient.lerp(momentum, MOMENTUM).flatten(1)  # Nesterov's look ahead
        scale = 0.2 * max(matrix.shape) ** 0.5
        kernel.mul_(1 - rate * decay)
        kernel.add_(orthogonal(matrix).view_as(kernel), alpha=-rate * scale)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about U @ V.T of the singular value decomposition U @ S @ V.T of a matrix (M, N).

    By the Newton-Schulz iteration of Jordan et al., which brings all singular values near to 1. A
    step of it multiplies the matrix X from the left by aI + bG + cG^2, where G = X @ X.T. These
    factors are multiplied first: they are small squares, while X is many times as wide as high.
    """
    a, b, c = QUINTIC
    wide = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() + TINY)
    gram = wide @ wide.T
    whole = torch.eye(len(gram), device=gram.device)
    for _ in range(ITERATIONS):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        whole = factor @ whole
        gram = factor @ gram @ factor
    wide = whole @ wide
    return wide if len(matrix) <= matrix.shape[1] else wide.T
