"""The sample: a synthetic data set in the layout of the LandCover.ai archive."""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from pydantic import NonNegativeInt
from pydantic.dataclasses import dataclass
from rasterio import Affine
from rasterio.io import MemoryFile

from partialseg.core.files import new_file, new_folder
from partialseg.core.params import STRICT
from partialseg.datasets.sample.canvas import PIXEL_SIZE, Bytes, generator
from partialseg.datasets.sample.render import render_orthophoto
from partialseg.source.index import write_index
from partialseg.source.legend import LANDCOVER_AI
from partialseg.source.projections import use_own_projections

CRS = "EPSG:2180"  # ETRF2000-PL / CS92, the national grid of Polish orthophotos
SHEET = 5_000  # metres: the side of a square that holds one orthophoto at most
SHEETS_EAST, SHEETS_NORTH = 80, 60
WEST, NORTH = 300_000, 600_000  # metres: the north-west corner of all sheets, inside Poland
BLOCK = 256  # pixels: side of the GeoTIFF's inner tiles
THREADS = min(4, os.cpu_count() or 1)  # each renders an orthophoto, which takes a few 100 MB


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Download:
    """What is rendered: RGB orthophotos whose sides are drawn from min_side..max_side pixels.

    The lists train.txt, val.txt and test.txt share out the full cells of `cell` pixels: val_share
    and test_share of them go to val and test.
    """

    seed: NonNegativeInt
    orthophotos: int
    min_side: int
    max_side: int
    cell: int
    val_share: float
    test_share: float

    def __post_init__(self) -> None:
        most, longest = SHEETS_EAST * SHEETS_NORTH, int(SHEET / PIXEL_SIZE)
        if not 1 <= self.orthophotos <= most:
            raise ValueError(f"orthophotos must lie in 1..{most}, not {self.orthophotos}")
        if self.cell < 1:
            raise ValueError(f"cell must be at least 1 pixel, not {self.cell}")
        if self.min_side < self.cell:
            raise ValueError(f"min_side must be at least cell ({self.cell}), not {self.min_side}")
        if self.min_side > self.max_side:
            raise ValueError(
                f"min_side must not exceed max_side ({self.max_side}), but is {self.min_side}"
            )
        if self.max_side > longest:
            raise ValueError(f"max_side must be at most {longest}, not {self.max_side}")
        for name, share in (("val_share", self.val_share), ("test_share", self.test_share)):
            if not 0 <= share < 1:
                raise ValueError(f"{name} must lie in [0, 1), not {share}")
        held_out = self.val_share + self.test_share
        if held_out >= 1:
            raise ValueError(f"val_share + test_share must be below 1, not {held_out}")


def download(params: Download, out: Path) -> None:
    """Render the synthetic orthophotos into `out` and index them.

    Raises:
        OSError: a file cannot be written.
    """
    with new_folder(out) as folder:
        write_sample(folder, params)
        write_index(folder, folder / "images", folder / "masks", LANDCOVER_AI)


def write_sample(folder: Path, params: Download) -> None:
    """Write images/, masks/, train.txt, val.txt and test.txt of the sample to a folder.

    The images are RGB GeoTIFFs, the masks hold the class ids 0 to 4 of LandCover.ai.
    """
    use_own_projections()
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    rng = generator(params.seed, "sample")
    sheets = rng.choice(SHEETS_EAST * SHEETS_NORTH, params.orthophotos, replace=False)
    sides = rng.integers(params.min_side, params.max_side, (params.orthophotos, 2), endpoint=True)

    def write(number: int) -> list[str]:
        """Write an orthophoto; return the names of its cells."""
        stem, (height, width) = f"sample-{number + 1:02d}", map(int, sides[number])
        image, mask = render_orthophoto(params.seed, stem, height, width)
        place = sheet_transform(int(sheets[number]))
        write_geotiff(folder / "images" / f"{stem}.tif", image, place)
        write_geotiff(folder / "masks" / f"{stem}.tif", mask[..., None], place)
        return cell_names(stem, height, width, params.cell)

    with ThreadPoolExecutor(THREADS) as pool:
        cells = [name for names in pool.map(write, range(params.orthophotos)) for name in names]
    split_rng = generator(params.seed, "split")
    write_lists(folder, cells, params.val_share, params.test_share, split_rng)


def sheet_transform(sheet: int) -> Affine:
    """Transform of an orthophoto in the north-west corner of a numbered sheet, north up."""
    row, column = divmod(sheet, SHEETS_EAST)
    west, north = WEST + column * SHEET, NORTH - row * SHEET
    return Affine(PIXEL_SIZE, 0.0, west, 0.0, -PIXEL_SIZE, north)


def write_geotiff(path: Path, pixels: Bytes, transform: Affine) -> None:
    """Write pixels (H, W, bands) as a tiled, deflated GeoTIFF, whole or not at all."""
    height, width, bands = pixels.shape
    # In memory first: libtiff would print its own lines about a full disk.
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            height=height,
            width=width,
            count=bands,
            dtype="uint8",
            crs=CRS,
            transform=transform,
            tiled=True,
            blockxsize=BLOCK,
            blockysize=BLOCK,
            compress="deflate",
            photometric="RGB" if bands == 3 else "MINISBLACK",
        ) as raster:
            raster.write(np.moveaxis(pixels, 2, 0))
        with new_file(path) as part:
            part.write_bytes(memory.getbuffer())


def cell_names(stem: str, height: int, width: int, cell: int) -> list[str]:
    """Names of the full cells; the number counts partial cells at the east edge, as split.py does.

    Source: split.py of the LandCover.ai archive.
    """
    columns = math.ceil(width / cell)
    return [
        f"{stem}_{row * columns + column}"
        for row in range(height // cell)
        for column in range(width // cell)
    ]


def write_lists(
    folder: Path, cells: list[str], val_share: float, test_share: float, rng: np.random.Generator
) -> None:
    """Share the cells out at random over train.txt, val.txt and test.txt, each sorted."""
    shuffled = [cells[index] for index in rng.permutation(len(cells))]
    val, test = round(val_share * len(cells)), round(test_share * len(cells))
    parts = {
        "val": shuffled[:val],
        "test": shuffled[val : val + test],
        "train": shuffled[val + test :],
    }
    for name, part in parts.items():
        with new_file(folder / f"{name}.txt") as file:
            file.write_text("".join(f"{cell}\n" for cell in sorted(part)))
