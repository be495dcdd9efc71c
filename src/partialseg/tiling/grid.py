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


def cells_of(width: int, height: int, side: int, *, partial: bool = False) -> Iterator[Cell]:
    """Yield the cells of `side` px, row by row from the upper left, without overlap.

    Partial cells at the right and lower border are yielded only on request, cut off at the border,
    but k always counts them: k = row * ceil(width / side) + column.
    Source: split.py of the LandCover.ai archive (arXiv:2005.02264).
    """
    columns_with_partial = -(-width // side)
    rows, columns = height // side, width // side
    if partial:
        rows, columns = -(-height // side), columns_with_partial
    for row in range(rows):
        for column in range(columns):
            left, top = column * side, row * side
            yield Cell(
                number=row * columns_with_partial + column,
                row=row,
                column=column,
                window=Window(left, top, min(side, width - left), min(side, height - top)),
            )


def cell_name(orthophoto: str, number: int) -> str:
    """Return the official name of a cell: <stem>_<k>."""
    return f"{orthophoto}_{number}"
