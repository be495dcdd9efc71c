"""BatchNorm over the images of all ranks, so that several processes train as one would."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd import Function


class _SumOfRanks(Function):
    """The sum of all ranks' tensors; its gradient is summed too, as every rank's loss uses it."""

    @staticmethod
    def forward(ctx: Any, local: Tensor) -> Tensor:
        total = local.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _SumOfRanks.forward(ctx, gradient)


class SyncBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm whose statistics are those of all ranks' images: (N, C, H, W) -> the same.

    This one is for the CPU, where torch.nn.SyncBatchNorm does not work.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        x = input.float()
        channels = x.shape[1]
        own_pixels = x.new_full((1,), x.numel() / channels)
        total: Tensor = _SumOfRanks.apply(torch.cat([x.sum((0, 2, 3)), own_pixels]))
        pixels = total[-1].detach()
        mean = total[:-1] / pixels
        # A second exchange: E[x^2] - E[x]^2, which needs one only, would lose digits.
        centred = x - mean[:, None, None]
        variance: Tensor = _SumOfRanks.apply((centred * centred).sum((0, 2, 3))) / pixels
        self._track(mean.detach(), variance.detach(), pixels)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(input.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, pixels: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (pixels / (pixels - 1)), self.momentum)


def synchronise_batchnorm(network: nn.Module, device: torch.device) -> nn.Module:
    """Return the network with BatchNorm over all ranks; names and values of weights stay."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            synchronised = SyncBatchNorm2d(child.num_features, child.eps, child.momentum)
            synchronised.load_state_dict(child.state_dict())
            setattr(network, name, synchronised.to(device))
        else:
            synchronise_batchnorm(child, device)
    return network
