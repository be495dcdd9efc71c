"""How an orthophoto is laid out in cells: their side, and the pixel size of the patches."""

import math
from dataclasses import dataclass

from affine import Affine

from partialseg.source.index import Orthophoto
from partialseg.source.raster import ground_size
from partialseg.tiling.grid import Cell, cell_name, cells_of
from partialseg.tiling.params import Tile

MOST_ENLARGED = 8  # times, as for predict.py: coarser pixels do not show what patches should


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The cells of an orthophoto, which are `side` px wide and high, and its share in them.

    gsd is the pixel size of its patches on the ground in metres, None where it is unknown.
    """

    side: int
    gsd: float | None
    cells: tuple[Cell, ...]
    share: float

    def names(self, orthophoto: str) -> list[str]:
        """Return the names of the cells."""
        return [cell_name(orthophoto, cell.number) for cell in self.cells]


def layout_of(orthophoto: Orthophoto, stated_gsd: float | None, params: Tile) -> Layout:
    """Return the layout of an orthophoto; stated_gsd holds if its file tells no pixel size.

    Raises:
        ValueError: no cell fits into it, or its pixel size is needed and unknown or too coarse.
    """
    own = _pixel_size(orthophoto)
    if own is None:
        own = stated_gsd
    side = params.source_size or _side(orthophoto, own, params)
    is_padded = params.partial_cells == "pad"
    cells = tuple(cells_of(orthophoto.width, orthophoto.height, side, partial=is_padded))
    if not cells:
        raise ValueError(
            f"{orthophoto.image}: {orthophoto.width} x {orthophoto.height} px is smaller than one "
            f"cell of {side} px (source_size); partial_cells: pad would keep it"
        )
    pixels = sum(cell.window.width * cell.window.height for cell in cells)
    return Layout(
        side=side,
        gsd=None if own is None else round(own * side / params.size, 6),
        cells=cells,
        share=pixels / (orthophoto.width * orthophoto.height),
    )


def _pixel_size(orthophoto: Orthophoto) -> float | None:
    transform = Affine(*orthophoto.transform)
    try:
        size = ground_size(orthophoto.crs, transform, orthophoto.width, orthophoto.height)
    except ValueError as error:  # training needs no georeference
        print(f"{orthophoto.image}: pixel size unknown: {error}")
        return None
    return None if size is None else math.sqrt(math.prod(size))


def _side(orthophoto: Orthophoto, own: float | None, params: Tile) -> int:
    assert params.gsd is not None
    if own is None:
        raise ValueError(
            f"{orthophoto.image}: tells no pixel size, which gsd in the section tile needs; state "
            "it as gsd in the section download"
        )
    side = max(1, round(params.size * params.gsd / own))
    if params.size > MOST_ENLARGED * side:
        raise ValueError(
            f"{orthophoto.image}: pixels of {own:.3g} m are too coarse for patches of "
            f"{params.gsd:g} m (gsd in the section tile)"
        )
    return side
