"""Small made files in the layouts of real archives, for the presets and the survey."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rasters import write_raster

SIDE = 32
Rows = NDArray[np.uint8]
ISPRS = ((255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0))


def colours(*colours: Sequence[int]) -> Rows:
    """Return a mask (3, SIDE, SIDE) of rows of these colours, the last one down to the end."""
    rows = [*colours, *[colours[-1]] * (SIDE - len(colours))]
    return np.repeat(np.array(rows, np.uint8).T[..., None], SIDE, axis=2)


def ids(*values: int, bands: int = 1) -> Rows:
    """Return a mask (bands, SIDE, SIDE) of rows of these ids, the last one down to the end."""
    return np.repeat(colours(*[(value,) * 3 for value in values])[:1], bands, axis=0)


LOVEDA = ids(0, 1, 2, 3, 4, 5, 6, 7, 1)
DEEPGLOBE = colours(
    (0, 0, 0), (0, 255, 255), (255, 255, 0), (255, 0, 255), (0, 255, 0), (0, 0, 255), (255,) * 3
)
# Of each preset: the path of each image, that of its mask (or None), and the mask; the names of
# the orthophotos by their split, and the rows of each class in the first patch, and of no truth.
LAYOUTS: dict[str, tuple[Mapping[str, str | None], Rows, Mapping[str, Any], list[int]]] = {
    "loveda": (
        {
            **{
                f"Train/{zone}/images_png/{number}.png": f"Train/{zone}/masks_png/{number}.png"
                for zone, number in (("Rural", 0), ("Rural", 1), ("Urban", 1366))
            },
            "Val/Rural/images_png/2522.png": "Val/Rural/masks_png/2522.png",
            "Test/Rural/images_png/4191.png": None,
        },
        LOVEDA,
        {"test": {"Val_Rural_2522"}, "names": "Train_Rural_0 Train_Rural_1 Train_Urban_1366"},
        [25, 1, 1, 1, 1, 1, 1, 1],
    ),
    "deepglobe": (
        {
            **{f"train/{n}_sat.jpg": f"train/{n}_mask.png" for n in (119, 266, 606, 855)},
            "valid/1000_sat.jpg": None,
            "test/1001_sat.jpg": None,
        },
        DEEPGLOBE,
        {"names": "119 266 606 855"},
        [1, 1, 1, 1, 1, 26, 1],
    ),
    "potsdam": (
        {
            f"2_Ortho_RGB/top_potsdam_{tile}_RGB.tif": f"5_Labels/top_potsdam_{tile}_label.tif"
            for tile in ("2_10", "2_11", "7_12", "2_13", "7_15")
        },
        colours(*ISPRS, (0, 0, 0)),
        {
            "test": {"top_potsdam_2_13", "top_potsdam_7_15"},
            "names": "top_potsdam_2_10 top_potsdam_2_11 top_potsdam_7_12",
        },
        [1, 1, 1, 1, 1, 1, 26],
    ),
    "vaihingen": (
        {
            f"top/top_mosaic_09cm_area{area}.tif": f"truth/top_mosaic_09cm_area{area}.tif"
            for area in (1, 2, 3, 30, 31, 20)
        },
        colours(*ISPRS, (0, 0, 0)),
        {
            "test": {"09cm_area2", "09cm_area20", "09cm_area31"},
            "names": "09cm_area1 09cm_area3 09cm_area30",
        },
        [1, 1, 1, 1, 1, 1, 26],
    ),
    "dubai": (
        {
            f"Semantic segmentation dataset/Tile {tile}/images/image_part_00{part}.jpg": (
                f"Semantic segmentation dataset/Tile {tile}/masks/image_part_00{part}.png"
            )
            for tile in (1, 4, 6)
            for part in (1, 2)
        },
        colours(
            (132, 41, 246), (226, 169, 41), (60, 16, 152), (254, 221, 58), (110, 193, 228),
            (155, 155, 155), (0, 0, 0),
        ),
        {
            "train": {"1_image_part_001", "1_image_part_002"},
            "val": {"6_image_part_001", "6_image_part_002"},
            "test": {"4_image_part_001", "4_image_part_002"},
            "names": "1_image_part_001 1_image_part_002",
        },
        [1, 1, 1, 1, 1, 27],
    ),
    "landcover_ai_100": (
        {f"output/M-33-20-D-c-4-2_{k}.jpg": f"output/M-33-20-D-c-4-2_{k}_m.png" for k in (1, 5, 9)},
        ids(4, 3, 2, 1, 0, bands=3),
        {
            "train": {"M-33-20-D-c-4-2_1"},
            "val": {"M-33-20-D-c-4-2_5"},
            "test": {"M-33-20-D-c-4-2_9"},
            "names": "M-33-20-D-c-4-2_1",
        },
        [28, 1, 1, 1, 1, 0],
    ),
    "folder": (
        {f"images/{name}.tif": f"masks/{name}.png" for name in "abcde"},
        ids(0, 1, 255),
        {"names": "a b c d e"},
        [1, 1, 30],
    ),
}  # fmt: skip


def make_layout(folder: Path, layout: Mapping[str, str | None], mask: Rows) -> None:
    rng = np.random.default_rng(1)
    for image, of_mask in layout.items():
        pixels = rng.integers(0, 256, (3, SIDE, SIDE)).astype(np.uint8)
        write_raster(folder / image, pixels, crs=None)
        if of_mask:
            write_raster(folder / of_mask, mask, crs=None)
