"""What a real QGIS makes of the maps: without one these are skipped, and fail where CI is set."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from class_maps import NAMES, frame
from partialseg.mapping.class_map import class_map_layout, entropy_layout, probabilities_layout
from partialseg.mapping.cog import Layout, new_cog
from partialseg.mapping.maps import write_styles
from partialseg.mapping.model import ModelInfo
from partialseg.mapping.mosaic import measured, write_mosaic
from partialseg.mapping.polygons import write_polygons
from partialseg.mapping.rasters import CLASSES, ENTROPY, PROBABILITIES

pytestmark = pytest.mark.slow
PYTHON = "/usr/bin/python3"  # QGIS's own: that of Debian
PALETTE = ((230, 220, 130), (200, 20, 20), (30, 60, 230))
COLOURS = ["#e6dc82", "#c81414", "#1e3ce6"]
NODATA_COLOUR = (255, 0, 255)  # the background shows through
PLACE = frame("EPSG:2180", Affine(0.5, 0, 300_000, 0, -0.5, 600_000), 80, 60)
EXTENT = [300_000, 599_970, 300_040, 600_000]
INFO = ModelInfo(
    title="",
    commit="",
    class_names=NAMES,
    palette=PALETTE,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    patch_size=32,
    ground_sampling_distances=(),
)


def ids() -> NDArray[np.uint8]:
    values = np.zeros((60, 80), np.uint8)
    values[:, 30:60], values[40:], values[:, :10] = 1, 2, 255
    return values


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the maps of an orthophoto as predict() does."""
    folder = tmp_path_factory.mktemp("maps")
    share = np.repeat(np.arange(0, 240, 3, np.uint8)[None], 60, axis=0)
    share[:, :10] = 255
    bands: dict[str, tuple[Layout, NDArray[np.uint8]]] = {
        CLASSES: (class_map_layout(NAMES, PALETTE, {}), ids()[None]),
        PROBABILITIES: (probabilities_layout(NAMES, {}), np.stack([share] * 3)),
        ENTROPY: (entropy_layout({}), share[None]),
    }
    files = {name: folder / f"a_{name}" for name in bands}
    for name, (layout, pixels) in bands.items():
        with new_cog(files[name], PLACE, layout) as writer:
            writer.write(pixels, Window(0, 0, 80, 60))
    write_styles(files, INFO)
    write_polygons(files[CLASSES], folder / "a_polygons.gpkg", 0)
    return folder


def look(picture: Path, *files: Path) -> tuple[list[dict[str, Any]], NDArray[np.uint8]]:
    """Return what QGIS says of the layers, and its picture of them (H, W, 3), RGB."""
    found = subprocess.run([PYTHON, "-c", "import qgis.core"], capture_output=True)
    if found.returncode:
        if os.environ.get("CI"):
            pytest.fail("there is no QGIS, which these tests need: python3-qgis, qgis-providers")
        pytest.skip("there is no QGIS")
    script = Path(__file__).with_name("look_in_qgis.py")
    # The environment of the tests leads QGIS to other libraries than its own.
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(picture.parent)}
    done = subprocess.run(
        [PYTHON, script, picture, *files], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), cv2.imread(str(picture))[..., ::-1]


def pixel(picture: NDArray[np.uint8], column: int, row: int) -> tuple[int, ...]:
    """Return the colour in the middle of a pixel of the map, which is 5 x 5 px of the picture."""
    return tuple(picture[5 * row + 2, 5 * column + 2].tolist())


def test_a_class_map_has_its_classes_alone_in_their_colours(maps: Path, tmp_path: Path) -> None:
    (found,), picture = look(tmp_path / "a.png", maps / "a_classes.tif")
    assert found == {
        "valid": True,
        "crs": "EPSG:2180",
        "extent": EXTENT,
        "legend": [[name, colour] for name, colour in zip(NAMES, COLOURS, strict=True)],
    }
    assert picture.shape == (300, 400, 3)
    assert pixel(picture, 20, 10) == PALETTE[0]
    assert pixel(picture, 45, 10) == PALETTE[1]
    assert pixel(picture, 45, 50) == PALETTE[2]
    assert pixel(picture, 5, 10) == NODATA_COLOUR


def test_a_mosaic_has_the_same_legend(maps: Path, tmp_path: Path) -> None:
    write_mosaic(maps, measured(maps, [Path("a.tif")])[0])
    (found,), picture = look(tmp_path / "a.png", maps / "classes.vrt")
    assert found == {
        "valid": True,
        "crs": "EPSG:2180",
        "extent": EXTENT,
        "legend": [[name, colour] for name, colour in zip(NAMES, COLOURS, strict=True)],
    }
    assert pixel(picture, 45, 50) == PALETTE[2]
    assert pixel(picture, 5, 10) == NODATA_COLOUR


@pytest.mark.parametrize("name", ["probabilities", "entropy"])
def test_shares_have_a_ramp_in_percent(maps: Path, tmp_path: Path, name: str) -> None:
    (found,), picture = look(tmp_path / "a.png", maps / f"a_{name}.tif")
    labels = [label for label, _ in found["legend"]]
    assert labels == ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]
    assert (found["crs"], found["extent"]) == ("EPSG:2180", EXTENT)
    # 150 of 250 is 0.6, a colour of the ramp itself; before and after it is darker and lighter.
    assert pixel(picture, 50, 30) == (0x22, 0xA8, 0x84)
    brightness = [sum(pixel(picture, column, 30)) for column in (12, 50, 79)]
    assert brightness == sorted(brightness)
    assert pixel(picture, 5, 10) == NODATA_COLOUR


def test_polygons_have_the_colours_of_their_classes(maps: Path, tmp_path: Path) -> None:
    (found,), picture = look(tmp_path / "a.png", maps / "a_polygons.gpkg")
    assert found["legend"] == [[name, colour] for name, colour in zip(NAMES, COLOURS, strict=True)]
    assert found["crs"] == "EPSG:2180"
    # Their extent has no nodata: it begins 5 m further east, so a pixel is 400 / 70 px.
    assert found["extent"] == [300_005, 599_970, 300_040, 600_000]
    middle = [(20, 10, 0), (45, 10, 1), (45, 50, 2)]
    for column, row, of_class in middle:
        x, y = round((column + 0.5 - 10) * 400 / 70), round((row + 0.5) * 400 / 70)
        assert tuple(picture[y, x].tolist()) == PALETTE[of_class]
