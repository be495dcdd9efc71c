"""Predict a whole orthophoto tile by tile: overlapping tiles are blended, memory is bounded."""

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rasterio.windows import Window
from torch import Tensor

from partialseg.engine.batches import image_tensor
from partialseg.mapping.model import Model
from partialseg.mapping.orthophoto import Orthophoto
from partialseg.models.blocks import STRIDE

T = TypeVar("T")
END = object()
Probabilities = NDArray[np.float32]
# Rows in a block, counted in the file or, where that is finer, in the network's grid: as many as
# a tile of the GeoTIFF has; and the least.
ROWS, MIN_ROWS = 512, 16
# Columns in a strip, counted likewise. Wider images are predicted strip by strip, so the columns
# of tiles at a seam are predicted twice.
COLUMNS = 16_384


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """Tiles of one length along an axis: the start and the weights, float32 (length,), of each.

    The weights of all tiles at a pixel sum to 1.
    """

    length: int
    starts: tuple[int, ...]
    weights: tuple[Tensor, ...]

    def final(self, index: int, size: int) -> int:
        """Return the first pixel to which a tile after `index` contributes; `size` if none does."""
        return self.starts[index + 1] if index + 1 < len(self.starts) else size


def tiles_along(size: int, length: int, overlap: int) -> Tiles:
    """Cover `size` pixels by tiles of `length`, whose neighbours overlap by `overlap` or more.

    The last tile ends at the last pixel. Towards both ends of a tile its weight falls as a
    squared cosine.
    """
    length = min(length, size)
    step = max(1, length - overlap)
    last = size - length
    starts = (*range(0, last, step), last)
    ramp = [math.sin(math.pi / 2 * (i + 0.5) / overlap) ** 2 for i in range(overlap)]
    taper = torch.ones(length, dtype=torch.float64)
    for i, value in enumerate(ramp[:length]):
        taper[i] *= value
        taper[length - 1 - i] *= value
    total = torch.zeros(size, dtype=torch.float64)
    for start in starts:
        total[start : start + length] += taper
    weights = tuple((taper / total[start : start + length]).float() for start in starts)
    return Tiles(length=length, starts=starts, weights=weights)


def ahead(items: Iterable[T], on_leaving: Callable[[], object] = lambda: None) -> Generator[T]:
    """Yield items while a thread of its own already makes the next one.

    on_leaving is called before that thread is waited for, also if the caller stops early.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1) as pool:
        try:
            following = pool.submit(next, iterator, END)
            while (item := following.result()) is not END:
                following = pool.submit(next, iterator, END)
                yield item  # type: ignore[misc]  # END is none
        finally:
            on_leaving()


@dataclass(frozen=True, kw_only=True)
class Stitching:
    """Side and overlap of the tiles in the network's pixels, and how many make a batch."""

    tile: int
    overlap: int
    batch_size: int

    def __post_init__(self) -> None:
        # All tiles but the last start at multiples of the network's stride, so that a pixel falls
        # into the same pooling windows whichever tile it is in.
        if self.tile % STRIDE or self.overlap % STRIDE:
            raise ValueError(
                f"tile {self.tile} and overlap {self.overlap} px must be multiples of {STRIDE}"
            )
        if not 0 <= 2 * self.overlap <= self.tile or not self.tile:
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
        predicted no worse, and less of them overlaps; an overlap of more than a third of a patch
        of 384 px changes nothing (docs/maps.md).
        """
        if tile is None:
            tile = 2 * -(-size // STRIDE) * STRIDE
        if overlap is None:
            overlap = min(size // 3, tile // 2) // STRIDE * STRIDE
        return cls(tile=tile, overlap=overlap, batch_size=batch_size)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Probabilities (C, h, w) of the pixels in a window of the file.

    valid (h, w) says where the file has data; None: everywhere.
    """

    window: Window
    probabilities: Probabilities
    valid: NDArray[np.bool_] | None


def predict_blocks(
    model: Model,
    orthophoto: Orthophoto,
    stitching: Stitching,
    on_share: Callable[[float], object],
) -> Generator[Block]:
    """Yield the prediction of an orthophoto in blocks that cover the file once.

    on_share is called with each share of the work that is done; the shares sum to 1.

    Raises:
        ValueError: the file breaks off or is damaged.
    """
    height, width = orthophoto.shape
    rows = tiles_along(height, stitching.tile, stitching.overlap)
    columns = tiles_along(width, stitching.tile, stitching.overlap)
    step = max(ROWS, int(COLUMNS * min(1, orthophoto.scale[1])) // ROWS * ROWS)
    strips = [
        Strip(columns, first, min(first + step, orthophoto.frame.width), orthophoto)
        for first in range(0, orthophoto.frame.width, step)
    ]
    tiles = len(rows.starts) * sum(len(strip.tiles) for strip in strips)
    for strip in strips:
        bands = blend(
            model, orthophoto, rows, strip, stitching.batch_size, lambda n: on_share(n / tiles)
        )
        with closing(bands):
            yield from to_file(bands, orthophoto, strip)


class Strip:
    """Columns first..stop of the file, and the tile columns of the network that they need."""

    def __init__(self, columns: Tiles, first: int, stop: int, orthophoto: Orthophoto) -> None:
        self.first, self.stop = first, stop
        needed = needed_pixels(first, stop, orthophoto.scale[1], orthophoto.shape[1])
        self.length = columns.length
        self.tiles = [
            (start, weights)
            for start, weights in zip(columns.starts, columns.weights, strict=True)
            if start < needed.stop and start + columns.length > needed.start
        ]
        # In pixels of the network:
        self.columns = slice(self.tiles[0][0], self.tiles[-1][0] + columns.length)


def blend(
    model: Model,
    orthophoto: Orthophoto,
    rows: Tiles,
    strip: Strip,
    batch_size: int,
    on_tiles: Callable[[int], object],
) -> Generator[Probabilities]:
    """Yield the probabilities (C, h, w) of a strip from top to bottom, in the network's grid."""
    classes, left = len(model.info.class_names), strip.columns.start
    width = strip.columns.stop - left
    band = torch.zeros(classes, 0, width)
    # Closed in any case: its thread must not read from a closed file.
    with closing(ahead(image_bands(orthophoto, rows, strip.columns))) as images:
        for index, (start, image) in enumerate(zip(rows.starts, images, strict=True)):
            grown = torch.zeros(classes, rows.length, width, device=band.device)
            grown[:, : band.shape[1]] = band
            band = grown
            for first in range(0, len(strip.tiles), batch_size):
                batch = strip.tiles[first : first + batch_size]
                parts = [slice(column - left, column - left + strip.length) for column, _ in batch]
                tiles = torch.stack([image_tensor(image[:, part]) for part in parts])
                predicted = model.probabilities(tiles)
                band = band.to(predicted.device)
                down = rows.weights[index].to(predicted.device)[:, None]
                for part, (_, across), tile in zip(parts, batch, predicted, strict=True):
                    band[:, :, part].addcmul_(tile, down * across.to(predicted.device))
                on_tiles(len(batch))
            final = rows.final(index, orthophoto.shape[0]) - start
            yield band[:, :final].cpu().numpy()
            band = band[:, final:]


def image_bands(orthophoto: Orthophoto, rows: Tiles, columns: slice) -> Iterator[NDArray[np.uint8]]:
    """Yield the image (tile, w, 3) of each row of tiles; no pixel is read twice."""
    band = np.empty((0, columns.stop - columns.start, 3), np.uint8)
    known = 0  # rows read so far
    for start in rows.starts:
        new = orthophoto.read(slice(known, start + rows.length), columns)
        known = start + rows.length
        band = np.concatenate([band, new])[-rows.length :]
        yield band


def to_file(
    bands: Iterator[Probabilities], orthophoto: Orthophoto, strip: Strip
) -> Iterator[Block]:
    """Bring the probabilities of a strip from the network's grid to that of the file."""
    height, down = orthophoto.frame.height, orthophoto.scale[0]
    step = max(MIN_ROWS, int(ROWS * min(1, down)))
    held, top = next(bands), 0  # rows top.. of the network's grid
    for first in range(0, height, step):
        stop = min(first + step, height)
        needed = needed_pixels(first, stop, down, orthophoto.shape[0])
        while top + held.shape[1] < needed.stop:
            done = min(needed.start - top, held.shape[1])
            held, top = np.concatenate([held[:, done:], next(bands)], axis=1), top + done
        window = Window(strip.first, first, strip.stop - strip.first, stop - first)
        part = resampled(held, window, orthophoto.scale, (top, strip.columns.start))
        yield Block(window=window, probabilities=part, valid=orthophoto.valid(window))


def needed_pixels(first: int, stop: int, scale: float, size: int) -> slice:
    """Return the pixels of a grid of `size` from which first..stop of the file are interpolated.

    scale is the number of the file's pixels in one of the grid.
    """
    low, high = (place_in_grid(pixel, scale) for pixel in (first, stop - 1))
    return slice(max(0, math.floor(low)), min(size, math.floor(high) + 2))


def place_in_grid(pixel: int, scale: float) -> float:
    """Return where the centre of a pixel of the file lies in the grid, whose first centre is 0."""
    return (pixel + 0.5) / scale - 0.5


def resampled(
    maps: Probabilities, window: Window, scale: tuple[float, float], corner: tuple[int, int]
) -> Probabilities:
    """Interpolate maps (C, H, W), whose first pixel is `corner` of the grid, to a window."""
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
