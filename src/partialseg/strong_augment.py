"""Strong augmentation of images: colours and sharpness change, and no pixel moves."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# The values of UniMatch (https://github.com/LiheYoung/UniMatch, dataset/semi.py), which jitters
# aerial images the same.
JITTERED, GREY, BLURRED = 0.8, 0.2, 0.5  # probabilities
BRIGHTNESS = CONTRAST = SATURATION = 0.5  # factors are drawn from 1 +- this
HUE = 0.25  # turns, either way
SIGMA = (0.1, 2.0)  # px
REACH = math.ceil(3 * SIGMA[1])  # px to either side that a blur looks at

# Rows Y, I, Q of RGB: luma (ITU-R BT.601) and the plane of colours, in which a hue is an angle.
YIQ = torch.tensor(
    [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]],
    dtype=torch.float64,
)


def strong_augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change colours and sharpness of each image by a draw of its own: uint8 to uint8.

    Jitter of brightness, contrast, saturation and hue, then grey, then a Gaussian blur, each with
    its probability. The draws come from the generator, which lives on the CPU, alone, as many for
    each image whatever they decide: equal generators give equal bits on a device, and an image's
    draw does not depend on the images after it.
    Source: UniMatch, Yang et al. 2023, arXiv:2208.09910.

    Args:
        images: (N, 3, H, W), uint8, RGB; they stay as they are.
        generator: a generator of the CPU.
    """
    draws = torch.rand(len(images), 8, generator=generator, dtype=torch.float64)
    # In -1..1, and 0, which changes nothing, where an image is not jittered.
    changes = (2 * draws[:, 1:5] - 1) * (draws[:, :1] < JITTERED)
    brightness, contrast, saturation, hue = changes.unbind(dim=1)
    coloured = jitter(
        images,
        1 + BRIGHTNESS * brightness,
        1 + CONTRAST * contrast,
        (1 + SATURATION * saturation) * (draws[:, 5] >= GREY),
        HUE * hue,
    )
    blurred = (draws[:, 6] < BLURRED).nonzero().flatten()
    if len(blurred):
        sigmas = SIGMA[0] + (SIGMA[1] - SIGMA[0]) * draws[blurred, 7]
        place = blurred.to(images.device)
        coloured[place] = blur(coloured[place], sigmas)
    return coloured.round_().to(torch.uint8)


def jitter(
    images: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor
) -> Tensor:
    """Return images (N, 3, H, W) of 0..255 with other colours: float32, clipped to 0..255.

    As in torchvision, but clipped once, at the end: all four are then one affine map of RGB, and
    their order, which is drawn there, does not matter. Hue turns in the plane of YIQ and so keeps
    the luma; a saturation of 0 leaves grey.

    Args:
        images: RGB, uint8.
        brightness: (N,), factors.
        contrast: (N,), factors of the distance to the mean luma of the image.
        saturation: (N,), factors of the distance to the luma of the pixel.
        hue: (N,), turns.
    """
    device = images.device
    angle = 2 * math.pi * hue
    turn = torch.zeros(len(images), 3, 3, dtype=torch.float64)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = saturation * angle.cos()
    turn[:, 2, 1] = saturation * angle.sin()
    turn[:, 1, 2] = -turn[:, 2, 1]
    maps = (brightness * contrast)[:, None, None] * (YIQ.inverse() @ turn @ YIQ)
    # An integer sum is the same in any order, so on any number of threads.
    means = images.sum(dim=(2, 3), dtype=torch.int64).double() / images[0, 0].numel()
    luma = means @ YIQ[0].to(device)
    offsets = (brightness * (1 - contrast)).to(device) * luma
    with torch.autocast(device.type, enabled=False):
        coloured = torch.baddbmm(
            offsets.float()[:, None, None], maps.float().to(device), images.flatten(2).float()
        )
    return coloured.clamp_(0, 255).view(images.shape)


def blur(images: Tensor, sigmas: Tensor) -> Tensor:
    """Return images (N, C, H, W), float32, blurred by Gaussians of sigmas (N,) px.

    The kernel ends at REACH px; the outer pixels of an image go on beyond its edge.
    """
    count, channels, height, width = images.shape
    offsets = torch.arange(-REACH, REACH + 1, dtype=torch.float64)
    kernels = (-0.5 * (offsets / sigmas.double()[:, None]) ** 2).exp()
    kernels = kernels / kernels.sum(dim=1, keepdim=True)
    kernels = kernels.repeat_interleave(channels, dim=0).float().to(images.device)
    planes = images.reshape(1, count * channels, height, width)  # each with a kernel of its own
    with torch.autocast(images.device.type, enabled=False):
        padded = F.pad(planes, (REACH,) * 4, mode="replicate")
        rows = F.conv2d(padded, kernels[:, None, None, :], groups=count * channels)
        both = F.conv2d(rows, kernels[:, None, :, None], groups=count * channels)
    return both.view(images.shape)
