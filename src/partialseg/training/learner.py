"""A network in training: a step of it, and its learning rate."""

import math
from contextlib import nullcontext
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from partialseg.core.classes import IGNORE_INDEX
from partialseg.engine.compute import Compute
from partialseg.engine.ranks import Ranks
from partialseg.models.blocks import recompute_activations
from partialseg.training.draws import seed_from
from partialseg.training.losses import labelled_loss
from partialseg.training.methods.build import build_method
from partialseg.training.methods.method import Heads, Part
from partialseg.training.optimizers import make_optimizer
from partialseg.training.params import Schedule, Train
from partialseg.training.sync_batchnorm import synchronise_batchnorm

# Learning rates at the start and the end of the one-cycle policy, as shares of its peak: those of
# torch and fastai.
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = ONE_CYCLE_START / 1e4


class Learner:
    """A network with its optimiser, its gradient scaler and the average of its weights.

    The network is on compute's device. Where several ranks train, each has a learner, and the
    weights of all of them are equal.
    """

    def __init__(
        self,
        network: nn.Module,
        class_weights: Tensor | None,
        params: Train,
        compute: Compute,
        ranks: Ranks,
        seed: int,
    ) -> None:
        if ranks.count > 1:
            network = synchronise_batchnorm(network, compute.device)
        if params.checkpointing:
            recompute_activations(network)
        self.network = network
        self.class_weights = class_weights
        self.compute = compute
        self.ranks = ranks
        self.optimizer = make_optimizer(network, params)
        self.scaler = compute.grad_scaler()
        # Buffers too: the statistics of BatchNorm belong to the weights.
        self._average = (
            AveragedModel(
                network, multi_avg_fn=get_ema_multi_avg_fn(params.ema_decay), use_buffers=True
            )
            if params.ema_decay
            else None
        )
        self._method = build_method(params.method, params.methods, network)
        if params.compile:
            network.compile()
        self._accumulation, self._terms, self._seed = params.parts, params.loss, seed
        self._parallel = (
            # The synchronised BatchNorm has equal buffers on all ranks anyway.
            DistributedDataParallel(
                network, forward_sync_buffers=False, gradient_as_bucket_view=True
            )
            if ranks.count > 1
            else network
        )

    @property
    def scored(self) -> nn.Module:
        """The network that is scored and saved: that of the averaged weights, if there is one."""
        return self._average.module if self._average else self.network

    def step(
        self, images: Tensor, labels: Tensor, learning_rate: float, step: int = 0, steps: int = 1
    ) -> tuple[Tensor, Tensor]:
        """Train on a batch, of which this rank has images (N, 3, H, W) and labels (N, H, W).

        The step is number `step`, from 0, of `steps` in the training. Returns two scalars: the loss
        of the whole batch and the norm of its gradient.
        """
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._backward(images, labels, step, steps)
        # All that a scaler asks of an optimiser, several together have, too.
        optimizer = cast(Optimizer, self.optimizer)
        self.scaler.unscale_(optimizer)
        gradients = [w.grad for w in self.network.parameters() if w.grad is not None]
        norm = get_total_norm(gradients)
        self.scaler.step(optimizer)
        self.scaler.update()
        if self._average:
            self._average.update_parameters(self.network)
        return self.ranks.sum(loss), norm

    def _backward(self, images: Tensor, labels: Tensor, step: int, steps: int) -> Tensor:
        """Add up the gradients of the parts; return this rank's share of the loss."""
        parts = images.tensor_split(self._accumulation)
        targets = [self.compute.to_labels(part) for part in labels.tensor_split(self._accumulation)]
        labelled = torch.stack([(target != IGNORE_INDEX).sum() for target in targets])
        # Weighted by labelled pixels, the losses of the parts add up to that of the whole batch.
        shares = labelled / self.ranks.sum(labelled.sum()).clamp(min=1)
        total = torch.zeros((), device=self.compute.device)
        for number, (part, target) in enumerate(zip(parts, targets, strict=True)):
            with self._without_exchange(number + 1 < len(parts)):
                outputs = self._forward(part)
                loss = labelled_loss(outputs, target, self.class_weights, self._terms)
                loss = loss * shares[number]
                if self._method:
                    place = Part(
                        images=part.to(self.compute.device),
                        labels=target,
                        outputs=outputs,
                        network=self._forward,
                        scored=self.scored,
                        compute=self.compute,
                        step=step,
                        steps=steps,
                        draw=self._draw(step, number),
                    )
                    loss = loss + self._method.term(place) * self._share(part, images)
                # DistributedDataParallel averages the gradients of the ranks; we need their sum.
                self.scaler.scale(loss * self.ranks.count).backward()
            total += loss.detach()
        return total

    def _forward(self, images: Tensor) -> Heads:
        """Return the logits of each head on images (N, 3, H, W), uint8."""
        with self.compute.autocast():
            outputs = self._parallel(self.compute.to_input(images))
        return outputs if isinstance(outputs, tuple) else (outputs,)

    def _share(self, part: Tensor, images: Tensor) -> Tensor:
        """Return the share of a part in the images of the whole batch."""
        return len(part) / self.ranks.sum(torch.tensor(float(len(images))))

    def _draw(self, step: int, part: int) -> int:
        """Return the seed, 63 bits, of the random draws for a part of a step on this rank."""
        return seed_from(f"{self._seed}/{step}/{self.ranks.rank}/{part}")

    def _without_exchange(self, more_to_come: bool) -> Any:
        """Return a context that, before the last part, keeps gradients on their rank."""
        parallel = self._parallel
        if more_to_come and isinstance(parallel, DistributedDataParallel):
            return parallel.no_sync()
        return nullcontext()

    def state(self) -> dict[str, Any]:
        """Return what restore() takes, as plain types and tensors."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self._average.state_dict() if self._average else None,
            "method": self._method.state() if self._method else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from the state of another learner of the same parameters."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self._average:
            self._average.load_state_dict(state["average"])
        if self._method:
            self._method.restore(state["method"])


def learning_rate_factor(schedule: Schedule, warmup: float, step: int, steps: int) -> float:
    """Return the factor, 0..1, of the learning rate at step 0, 1, ..., steps - 1.

    It rises over the first share `warmup` of the steps, then stays 1 (constant) or falls along half
    a cosine: to 0 (cosine: Loshchilov and Hutter 2017, arXiv:1608.03983) or almost 0 (one_cycle:
    Smith and Topin 2018, arXiv:1708.07120, which also rises along a cosine).
    """
    if steps == 1:
        return 1.0
    rise = warmup * steps
    match schedule:
        case "one_cycle":
            peak = rise - 1  # as in torch, the last step of the rise is the peak
            if step <= peak:
                return _cosine(ONE_CYCLE_START, 1.0, step / peak if peak else 1.0)
            return _cosine(1.0, ONE_CYCLE_END, (step - peak) / (steps - 1 - peak))
        case "constant" | "cosine" if step < rise:
            return min(1.0, (step + 1) / rise)  # not step / rise, which would waste the first step
        case "constant":
            return 1.0
        case "cosine":
            return _cosine(1.0, 0.0, (step - rise) / (steps - rise))


def _cosine(start: float, end: float, share: float) -> float:
    """Return the value at a share, 0..1, of the way from start to end along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
