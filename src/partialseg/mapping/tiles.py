"""The tiles by which a network sees an image that is larger than its memory allows."""

from dataclasses import dataclass
from itertools import pairwise

from partialseg.models.blocks import STRIDE


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """Tiles of one length along an axis: their starts, and the cuts between them.

    The pixels cuts[i]..cuts[i + 1] are predicted by tile i. All starts are multiples of the
    network's stride, so that a pixel falls into the same pooling windows whichever tile it is in.
    The last tile may end up to STRIDE - 1 pixels beyond the axis.
    """

    length: int
    starts: tuple[int, ...]
    cuts: tuple[int, ...]


def tiles_along(size: int, longest: int, overlap: int, fixed: bool = False) -> Tiles:
    """Cover `size` pixels by as few tiles as possible, whose neighbours overlap by `overlap`.

    The tiles are as short as that number allows, so that few pixels are predicted twice, or, if
    fixed, of the length `longest` wherever they are several. Neighbours are cut in the middle of
    their overlap.
    """
    steps, most, shared = -(-size // STRIDE), longest // STRIDE, overlap // STRIDE
    if steps <= most:
        return Tiles(length=steps * STRIDE, starts=(0,), cuts=(0, size))
    count = -(-(steps - shared) // (most - shared))
    length = most if fixed else -(-(steps + (count - 1) * shared) // count)
    starts = [index * (steps - length) // (count - 1) * STRIDE for index in range(count)]
    length *= STRIDE
    inner = [(start + length + after) // 2 for start, after in pairwise(starts)]
    return Tiles(length=length, starts=tuple(starts), cuts=(0, *inner, size))


@dataclass(frozen=True, kw_only=True)
class Stitching:
    """The longest side and the overlap of tiles in the network's pixels, and how many a batch."""

    tile: int
    overlap: int
    batch_size: int

    def __post_init__(self) -> None:
        if self.tile % STRIDE or self.overlap % STRIDE:
            raise ValueError(
                f"tile {self.tile} and overlap {self.overlap} px must be multiples of {STRIDE}"
            )
        if self.tile < STRIDE:
            raise ValueError(f"tile {self.tile} px must be at least {STRIDE}")
        if not 0 <= 2 * self.overlap <= self.tile:
            raise ValueError(
                f"overlap {self.overlap} px must be within 0 and half of the tile, {self.tile} px"
            )
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")

    @classmethod
    def for_patches(
        cls, size: int, tile: int | None, overlap: int | None, batch_size: int
    ) -> "Stitching":
        """Return a stitching that suits a network trained on patches of `size`.

        It fills in the tile or the overlap that is None. Tiles larger than the patches are
        predicted no worse, and less of them overlaps; what an overlap of an eighth of a patch
        gives is in docs/maps.md.
        """
        if tile is None:
            tile = 2 * -(-size // STRIDE) * STRIDE
        if overlap is None:
            overlap = min(-(-size // (8 * STRIDE)), tile // 2 // STRIDE) * STRIDE
        return cls(tile=tile, overlap=overlap, batch_size=batch_size)
