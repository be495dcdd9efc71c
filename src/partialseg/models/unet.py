"""U-Net: Ronneberger et al. 2015, arXiv:1505.04597, with BatchNorm and padded convolutions."""

from itertools import pairwise

from torch import Tensor, nn

from partialseg.models.blocks import ConvBlock, UpConv, cat, crop_to, level_widths, pad_to_stride


class UNet(nn.Module):
    """Five-level encoder-decoder with skip connections: (N, in, H, W) -> logits (N, C, H, W).

    Any height and width of at least 16 px; others than multiples of 16 are padded and cropped.

    Raises:
        ValueError: in forward, a side of the images is smaller than 16 px.
    """

    def __init__(self, in_channels: int, num_classes: int, base_channels: int) -> None:
        super().__init__()
        widths = level_widths(base_channels)
        self.stem = ConvBlock(in_channels, widths[0])
        self.pool = nn.MaxPool2d(2)
        self.encoder = nn.ModuleList(ConvBlock(fine, coarse) for fine, coarse in pairwise(widths))
        self.up = nn.ModuleList(UpConv(coarse, fine) for fine, coarse in pairwise(widths))
        self.decoder = nn.ModuleList(ConvBlock(2 * fine, fine) for fine in widths[:-1])
        self.head = nn.Conv2d(widths[0], num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        skips = [self.stem(pad_to_stride(images))]  # level i: (N, base * 2^i, H / 2^i, W / 2^i)
        for encode in self.encoder:
            skips.append(encode(self.pool(skips[-1])))
        x = skips.pop()
        for level in reversed(range(len(skips))):
            x = self.decoder[level](cat(skips[level], self.up[level](x)))
        return crop_to(self.head(x), images)
