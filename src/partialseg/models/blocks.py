"""Building blocks of both networks."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

DEPTH = 4  # down-samplings, so 5 levels
STRIDE = 2**DEPTH  # one step of the deepest level, in pixels of the input


def level_widths(base_channels: int) -> tuple[int, ...]:
    """Channels of the five levels: base x (1, 2, 4, 8, 16)."""
    return tuple(base_channels * 2**level for level in range(DEPTH + 1))


class ConvBlock(nn.Sequential):
    """Two 3 x 3 convolutions, each with BatchNorm and ReLU: (N, in, H, W) -> (N, out, H, W).

    Where `recomputed` is set, training keeps the input of the block alone, and computes all between
    input and output a second time in the backward pass: less memory for more time.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        # No bias: BatchNorm subtracts it again.
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )
        self.recomputed = False

    def forward(self, input: Tensor) -> Tensor:
        if not (self.recomputed and self.training and torch.is_grad_enabled()):
            return super().forward(input)
        output: Tensor = checkpoint(
            super().forward,
            input,
            use_reentrant=False,
            preserve_rng_state=False,  # nothing in a block is random
            context_fn=lambda: (nullcontext(), self._statistics_kept()),
        )
        return output

    @contextmanager
    def _statistics_kept(self) -> Iterator[None]:
        """Let BatchNorm update copies of its running statistics, which already had their update."""
        own = [(module, name, buffer) for module in self for name, buffer in module.named_buffers()]
        for module, name, buffer in own:
            setattr(module, name, buffer.clone())
        try:
            yield
        finally:
            for module, name, buffer in own:
                setattr(module, name, buffer)


def recompute_activations(network: nn.Module) -> None:
    """Let the network's blocks compute their activations again in the backward pass."""
    for module in network.modules():
        if isinstance(module, ConvBlock):
            module.recomputed = True


class UpConv(nn.ConvTranspose2d):
    """The 2 x 2 up-convolution of the U-Net paper: (N, in, H, W) -> (N, out, 2H, 2W).

    Its windows do not overlap, so it is one matrix product per pixel, computed channels last here:
    the general transposed convolution takes more than twice as long, forward and backward together.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=2, stride=2)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        assert output_size is None and self.bias is not None
        n, c, h, w = input.shape
        weight = self.weight.permute(2, 3, 1, 0).reshape(-1, c)  # (row, column, out) x in
        squares = F.linear(input.permute(0, 2, 3, 1), weight, self.bias.repeat(4))
        rows = squares.view(n, h, w, 2, 2, -1).transpose(2, 3)  # (n, h, row, w, column, out)
        return rows.reshape(n, 2 * h, 2 * w, -1).permute(0, 3, 1, 2)


def pad_to_stride(images: Tensor) -> Tensor:
    """Pad (N, C, H, W) at the bottom and the right to the next multiple of STRIDE.

    Raises:
        ValueError: a side is smaller than STRIDE.
    """
    height, width = images.shape[-2:]
    if min(height, width) < STRIDE:
        raise ValueError(f"image of {height} x {width} px: a side must be at least {STRIDE} px")
    bottom, right = -height % STRIDE, -width % STRIDE
    if not bottom and not right:
        return images
    return F.pad(images, (0, right, 0, bottom), mode="replicate")


def crop_to(logits: Tensor, images: Tensor) -> Tensor:
    """Crop logits to the height and width of images, which undoes pad_to_stride."""
    height, width = images.shape[-2:]
    return logits[..., :height, :width]


def cat(*maps: Tensor) -> Tensor:
    """Concatenate feature maps (N, C_k, H, W) along the channels."""
    return torch.cat(maps, dim=1)
