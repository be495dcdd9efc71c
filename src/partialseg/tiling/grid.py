"""The cells of an orthophoto, numbered as LandCover.ai's split.py numbers them."""

from collections.abc import Iterator
from dataclasses import dataclass

from rasterio.windows import Window

NO_SPLIT = "none"  # a cell without any truth, or one that no official list names


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A square of an orthophoto: its number k, its row and column in the grid, and its pixels."""

    number: int
    row: int
    column: int
    window: Window


def full_cells(width: int, height: int, side: int) -> Iterator[Cell]:
    """Yield the whole cells of `side` px, row by row from the upper left, without overlap.

    Partial cells at the right and lower border are not yielded, but k counts them:
    k = row * ceil(width / side) + column.
    Source: split.py of the LandCover.ai archive (arXiv:2005.02264).
    """
    columns_with_partial = -(-width // side)
    for row in range(height // side):
        for column in range(width // side):
            yield Cell(
                number=row * columns_with_partial + column,
                row=row,
                column=column,
                window=Window(column * side, row * side, side, side),
            )


def cell_name(orthophoto: str, number: int) -> str:
    """Return the official name of a cell: <stem>_<k>."""
    return f"{orthophoto}_{number}"
