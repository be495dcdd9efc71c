"""UNet++: Zhou et al. 2018, arXiv:1807.10165, with its dense skip connections."""

from torch import Tensor, nn

from partialseg.models.blocks import (
    DEPTH,
    ConvBlock,
    UpConv,
    cat,
    crop_to,
    level_widths,
    pad_to_stride,
)


class UNetPlusPlus(nn.Module):
    """Nested U-Net, nodes X(i, j) at level i and column j: (N, in, H, W) -> logits (N, C, H, W).

    X(i, 0) is the encoder; X(i, j) takes X(i, 0), ..., X(i, j-1) and the upsampled X(i+1, j-1).
    With deep_supervision, X(0, 1) ... X(0, 4) have a head each: in training mode forward returns
    their four logits as a tuple, in evaluation mode the mean of them (the paper's accurate mode).
    Any height and width of at least 16 px; others than multiples of 16 are padded and cropped.

    Raises:
        ValueError: in forward, a side of the images is smaller than 16 px.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        base_channels: int,
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        widths = level_widths(base_channels)
        self.deep_supervision = deep_supervision
        self.pool = nn.MaxPool2d(2)
        self.nodes = nn.ModuleDict()
        self.up = nn.ModuleDict()
        for i, width in enumerate(widths):
            self.nodes[f"{i}_0"] = ConvBlock(widths[i - 1] if i else in_channels, width)
            for j in range(1, DEPTH + 1 - i):
                self.up[f"{i}_{j}"] = UpConv(widths[i + 1], width)
                self.nodes[f"{i}_{j}"] = ConvBlock((j + 1) * width, width)
        columns = range(1, DEPTH + 1) if deep_supervision else (DEPTH,)
        self.heads = nn.ModuleDict(
            {f"0_{j}": nn.Conv2d(widths[0], num_classes, 1) for j in columns}
        )

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        x: dict[tuple[int, int], Tensor] = {}
        x[0, 0] = self.nodes["0_0"](pad_to_stride(images))
        for diagonal in range(1, DEPTH + 1):  # one level deeper, then up to the top
            x[diagonal, 0] = self.nodes[f"{diagonal}_0"](self.pool(x[diagonal - 1, 0]))
            for j in range(1, diagonal + 1):
                i = diagonal - j
                same_level = [x[i, k] for k in range(j)]
                upsampled = self.up[f"{i}_{j}"](x[i + 1, j - 1])
                x[i, j] = self.nodes[f"{i}_{j}"](cat(*same_level, upsampled))
        logits = tuple(
            crop_to(head(x[0, int(name[-1])]), images) for name, head in self.heads.items()
        )
        if self.training and self.deep_supervision:
            return logits
        return sum(logits[1:], start=logits[0]) / len(logits)
