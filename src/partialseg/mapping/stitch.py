"""Predict a whole orthophoto tile by tile: overlapping tiles are cut, memory is bounded."""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rasterio.windows import Window

from partialseg.engine.batches import image_tensor
from partialseg.mapping.ahead import ahead, has_room
from partialseg.mapping.model import Model
from partialseg.mapping.orthophoto import Orthophoto
from partialseg.mapping.tiles import Stitching, Tiles, tiles_along

Probabilities = NDArray[np.float32]
# The longest side of a block in the file: two tiles of a GeoTIFF.
BLOCK = 1024
# Columns in a strip, counted in the file or, where that is finer, in the network's grid. Wider
# images are predicted strip by strip, so that GDAL's cache holds the blocks of a row of tiles.
COLUMNS = 16_384


@dataclass(frozen=True, kw_only=True)
class Block:
    """Probabilities (C, h, w) of the pixels in a window of the file.

    valid (h, w) says where the file has data; None: everywhere.
    """

    window: Window
    probabilities: Probabilities
    valid: NDArray[np.bool_] | None


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A tile, whose first pixel is `corner` of the network's grid.

    windows are those of the file that it predicts, and valid (h, w) of each says where the file has
    data; None: everywhere.
    """

    corner: tuple[int, int]
    windows: tuple[Window, ...]
    valid: tuple[NDArray[np.bool_] | None, ...]

    @property
    def has_data(self) -> bool:
        """Whether the file has data anywhere in the windows."""
        return any(valid is None or valid.any() for valid in self.valid)


def predict_blocks(
    model: Model,
    orthophoto: Orthophoto,
    stitching: Stitching,
    on_share: Callable[[float], object],
    chosen: range | None = None,
) -> Generator[Block]:
    """Yield the prediction of an orthophoto in blocks: each pixel at most once.

    Tiles whose part of the file has no data are left out. on_share is called with each share of the
    work that is done; the shares sum to 1. With chosen, only these rows of tiles are predicted, to
    the same bits as all of them would be.

    Raises:
        ValueError: the file breaks off or is damaged.
    """
    rows, columns = tiles_of(orthophoto.shape, stitching, model.tile)
    chosen = range(len(rows.starts)) if chosen is None else chosen
    share = 1 / (len(chosen) * len(columns.starts))
    for strip in strips_of(columns, orthophoto.scale[1]):
        left, right = columns.starts[strip[0]], columns.starts[strip[-1]] + columns.length
        bands = image_bands(orthophoto, rows, slice(left, right), chosen)
        # Closed in any case: its thread must not read from a closed file.
        with closing(ahead(bands) if has_room(model) else bands) as images:
            for row, image in zip(chosen, images, strict=True):
                tiles = [tile_at(rows, row, columns, column, orthophoto) for column in strip]
                asked = [tile for tile in tiles if tile.has_data]
                on_share(share * (len(tiles) - len(asked)))
                for first in range(0, len(asked), stitching.batch_size):
                    batch = asked[first : first + stitching.batch_size]
                    starts = [tile.corner[1] - left for tile in batch]
                    parts = [image[:, start : start + columns.length] for start in starts]
                    found = model.probabilities(torch.stack([image_tensor(x) for x in parts]))
                    for tile, maps in zip(batch, found.cpu().numpy(), strict=True):
                        yield from blocks_of(tile, maps, orthophoto)
                    on_share(share * len(batch))


def tiles_of(shape: tuple[int, int], stitching: Stitching, side: int | None) -> tuple[Tiles, Tiles]:
    """Return the rows and the columns of tiles of a grid, for a network of tiles of that side."""
    rows, columns = (
        tiles_along(length, stitching.tile, stitching.overlap, fixed=side is not None)
        for length in shape
    )
    return rows, columns


def file_rows(orthophoto: Orthophoto, rows: Tiles, chosen: range) -> tuple[int, int]:
    """Return the rows of the file, first and stop, that rows of tiles predict."""
    first, stop = (
        first_pixel(rows.cuts[row], orthophoto.scale[0], orthophoto.frame.height)
        for row in (chosen.start, chosen.stop)
    )
    return first, stop


def strips_of(columns: Tiles, scale: float) -> Iterator[range]:
    """Yield the numbers of the tiles that make up a strip, strip by strip."""
    most = max(1, int(COLUMNS / (columns.length * max(1, scale))))
    for first in range(0, len(columns.starts), most):
        yield range(first, min(first + most, len(columns.starts)))


def tile_at(rows: Tiles, row: int, columns: Tiles, column: int, orthophoto: Orthophoto) -> Tile:
    """Return the tile of a row and a column, with the windows of the file that it predicts."""
    frame, (down, across) = orthophoto.frame, orthophoto.scale
    heights = pieces(*(first_pixel(cut, down, frame.height) for cut in rows.cuts[row : row + 2]))
    widths = pieces(
        *(first_pixel(cut, across, frame.width) for cut in columns.cuts[column : column + 2])
    )
    windows = tuple(
        Window(left, top, right - left, bottom - top)
        for top, bottom in heights
        for left, right in widths
    )
    return Tile(
        corner=(rows.starts[row], columns.starts[column]),
        windows=windows,
        valid=tuple(map(orthophoto.valid, windows)),
    )


def first_pixel(cut: int, scale: float, size: int) -> int:
    """Return the first of the `size` pixels of the file whose centre lies behind a cut."""
    return min(size, math.ceil(cut * scale - 0.5))


def pieces(first: int, stop: int) -> list[tuple[int, int]]:
    """Return first..stop in pieces of at most BLOCK pixels."""
    return [(start, min(start + BLOCK, stop)) for start in range(first, stop, BLOCK)]


def blocks_of(tile: Tile, maps: Probabilities, orthophoto: Orthophoto) -> Iterator[Block]:
    """Yield the blocks of a tile from its prediction (C, H, W)."""
    # The tile may end beyond the image.
    height, width = (
        side - start for side, start in zip(orthophoto.shape, tile.corner, strict=True)
    )
    maps = maps[:, :height, :width]
    for window, valid in zip(tile.windows, tile.valid, strict=True):
        yield Block(
            window=window,
            probabilities=resampled(maps, window, orthophoto.scale, tile.corner),
            valid=valid,
        )


def image_bands(
    orthophoto: Orthophoto, rows: Tiles, columns: slice, chosen: range
) -> Generator[NDArray[np.uint8]]:
    """Yield the image (tile, w, 3) of each of the chosen rows of tiles.

    Beyond the image its last row and its last column are repeated.
    """
    height, width = orthophoto.shape
    inside = slice(columns.start, min(columns.stop, width))
    band = np.empty((0, columns.stop - columns.start, 3), np.uint8)
    # What the first row shares with the one before is read with all that the latter adds: GDAL may
    # round a half otherwise in another window, where it resamples.
    first = max(0, chosen.start - 1)
    known = rows.starts[first - 1] + rows.length if first else 0  # rows read so far
    for row in range(first, chosen.stop):
        stop = rows.starts[row] + rows.length
        new = orthophoto.read(slice(known, min(stop, height)), inside)
        missing = max(0, stop - height), columns.stop - inside.stop
        if any(missing):
            new = np.pad(new, ((0, missing[0]), (0, missing[1]), (0, 0)), "edge")
        known = stop
        band = np.concatenate([band, new])[-rows.length :]
        if row in chosen:
            yield band


def place_in_grid(pixel: int, scale: float) -> float:
    """Return where the centre of a pixel of the file lies in the grid, whose first centre is 0."""
    return (pixel + 0.5) / scale - 0.5


def resampled(
    maps: Probabilities, window: Window, scale: tuple[float, float], corner: Sequence[int]
) -> Probabilities:
    """Interpolate maps (C, H, W), whose first pixel is `corner` of the grid, to a window."""
    if scale == (1.0, 1.0):
        top, left = window.row_off - corner[0], window.col_off - corner[1]
        return maps[:, top : top + window.height, left : left + window.width]
    places = [
        place_in_grid(pixel, by) - start
        for pixel, by, start in zip((window.row_off, window.col_off), scale, corner, strict=True)
    ]
    matrix = np.array([[1 / scale[1], 0, places[1]], [0, 1 / scale[0], places[0]]])
    result = np.empty((len(maps), window.height, window.width), np.float32)
    for source, target in zip(maps, result, strict=True):
        cv2.warpAffine(
            source,
            matrix,
            (window.width, window.height),
            dst=target,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return result
