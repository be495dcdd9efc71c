"""Strong augmentation of training images: CutMix, and changes of colour and sharpness."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# CutMix: the ranges of UniMatch (https://github.com/LiheYoung/UniMatch, dataset/transform.py).
AREA = (0.02, 0.4)  # of the image
ASPECT = (0.3, 1 / 0.3)  # height over width

# Colour and sharpness: the values of UniMatch (as above, dataset/semi.py), which uses them for
# aerial images too.
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


def cutmix_boxes(count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw a rectangle for each of count images: bool (count, height, width), True inside.

    Its share of the image is drawn uniformly, its aspect ratio uniformly on a logarithmic scale,
    so that it is tall as often as wide, and then its position among all inside the image. Where
    the ratio makes it longer than a side of the image, UniMatch draws again; here it is shortened
    to that side at the same area, so that an image of any shape has a rectangle.
    Source: CutMix, Yun et al. 2019, arXiv:1905.04899; for consistency French et al. 2020,
    arXiv:1906.01916; ranges of Yang et al. 2023, arXiv:2208.09910.
    """
    draws = torch.rand(count, 4, generator=generator, dtype=torch.float64)
    share, aspect, down, right = draws.unbind(dim=1)
    area = (AREA[0] + (AREA[1] - AREA[0]) * share) * height * width
    low, high = map(math.log, ASPECT)
    tall = (area * (low + (high - low) * aspect).exp()).sqrt()
    tall = torch.minimum(torch.maximum(tall, area / width), torch.tensor(float(height)))
    rows, columns = tall.round().clamp(min=1), (area / tall).round().clamp(min=1)
    top, left = (down * (height - rows + 1)).floor(), (right * (width - columns + 1)).floor()
    in_rows = _between(top, top + rows, height)
    in_columns = _between(left, left + columns, width)
    return in_rows[:, :, None] & in_columns[:, None, :]


def partners(batch: Tensor) -> Tensor:
    """Return the batch (N, ...) shifted by one: for each item the next, for the last the first.

    In a batch of one the item is its own partner, and mixing the two changes nothing.
    """
    return batch.roll(-1, dims=0)


def mix(first: Tensor, second: Tensor, boxes: Tensor) -> Tensor:
    """Return second inside the boxes (N, H, W) and first elsewhere.

    Args:
        first: images (N, C, H, W) or targets (N, H, W), of any type.
        second: as first.
        boxes: bool, on the device of first.
    """
    inside = boxes if first.ndim == boxes.ndim else boxes[:, None]
    return torch.where(inside, second, first)


def _between(start: Tensor, end: Tensor, length: int) -> Tensor:
    """Return which of 0..length - 1 are in start <= place < end: bool (N, length)."""
    place = torch.arange(length)
    return (place >= start[:, None]) & (place < end[:, None])


def strong_augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change colours and sharpness of each image by random draws of its own: uint8 to uint8.

    Jitter of brightness, contrast, saturation and hue, then grey, then a Gaussian blur, each with
    its probability. All draws come from the generator, and every image takes the same number of
    them, whatever they decide: equal generators give equal bits on a device, and the draws of an
    image do not depend on the images after it.
    Source: UniMatch, Yang et al. 2023, arXiv:2208.09910.

    Args:
        images: (N, 3, H, W), uint8, RGB; they stay as they are.
        generator: a generator of the CPU.
    """
    draws = torch.rand(len(images), 8, generator=generator, dtype=torch.float64)
    # In -1..1; where an image is not jittered 0, which changes nothing.
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

    As in torchvision, but clipped only once, at the end: all four changes are then one affine map
    of RGB, and their order, which torchvision draws, does not matter. A change of hue is a rotation
    in the IQ plane of YIQ, which keeps the luma; a saturation of 0 gives grey.

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
    # A sum of integers is the same in any order, so with any number of threads.
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

    The kernel ends at REACH px; beyond its edges an image is continued by its outermost pixels.
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
