"""The pixel size of a network, and orthophotos laid out in cells of patches of that size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from partialseg.engine.checkpoint import Checkpoint
from partialseg.source.index import Orthophoto
from partialseg.tiling.layout import Layout, layout_of
from partialseg.tiling.params import Tile


@dataclass(frozen=True, kw_only=True)
class PixelSizes:
    """The pixel sizes of a network in metres, and whether they are assumed."""

    metres: tuple[float, ...]
    assumed: bool

    def nearest(self, metres: float) -> float:
        """Return the one that needs the least scaling of pixels of so many metres."""
        return min(self.metres, key=lambda item: abs(math.log(item / metres)))


def network_pixel_sizes(checkpoint: Checkpoint, assumed_gsd: float | None) -> PixelSizes:
    """Return the pixel sizes of the patches that a network was trained on.

    assumed_gsd is that of the files they were cut from, where these tell none.

    Raises:
        ValueError: they are unknown, and none is assumed.
    """
    known = checkpoint.ground_sampling_distances
    if known:
        return PixelSizes(metres=tuple(known), assumed=False)
    section = f"datasets.{checkpoint.dataset}.transfer.assumed_gsd"
    if assumed_gsd is None:
        raise ValueError(
            f"the pixel size of the network's training on {checkpoint.dataset} is unknown; assume "
            f"one for its files: {section}"
        )
    if not checkpoint.source_size:
        raise ValueError(
            f"{section}: cannot be used, since the training patches were cut at several scales"
        )
    metres = assumed_gsd * checkpoint.source_size / checkpoint.patch_size
    return PixelSizes(metres=(metres,), assumed=True)


@dataclass(frozen=True, kw_only=True)
class Files:
    """The pixel sizes of the files of a data set: stated ones, and the one that is assumed."""

    dataset: str
    stated_gsd: float | None
    assumed_gsd: float | None


def layouts_at(
    orthophotos: Sequence[Orthophoto], files: Files, sizes: PixelSizes, size: int, tile: Tile
) -> tuple[dict[str, Layout], int]:
    """Lay out orthophotos so that their patches of `size` px have the pixel size of a network.

    No pixel is dropped. Also returns for how many the pixel size of the file is assumed.

    Raises:
        ValueError: a pixel size is unknown and none is assumed, or a file is too coarse.
    """
    how = replace(tile, size=size, partial_cells="pad", train_truth="masks")
    native = replace(how, source_size=size, gsd=None)
    layouts = {}
    assumed = 0
    for item in orthophotos:
        own = layout_of(item, files.stated_gsd, native).gsd
        if own is None:
            own = files.assumed_gsd
            assumed += 1
        if own is None:
            raise ValueError(
                f"{item.image}: tells no pixel size; state it as gsd in "
                f"datasets.{files.dataset}.download, or assume one: "
                f"datasets.{files.dataset}.transfer.assumed_gsd"
            )
        at_network = replace(how, source_size=None, gsd=sizes.nearest(own))
        layouts[item.name] = layout_of(item, own, at_network)
    return layouts, assumed
