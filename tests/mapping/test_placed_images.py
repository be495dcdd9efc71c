"""Maps of images that are placed by control points, RPCs, half a georeference or nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from geotiffs import CORNER, control_points, some_rpcs, write_geotiff
from mapping_models import Brightness
from partialseg.mapping.maps import Wanted, predict
from partialseg.mapping.orthophoto import Reading
from partialseg.mapping.predict import look_at, predict_all
from partialseg.mapping.rasters import Predictor
from partialseg.mapping.stitch import Stitching
from rasters import write_raster

READING = Reading(bands=None, stretch=None, gsd=None, resample=True)
SMALL = Stitching(tile=64, overlap=16, batch_size=4)
WANTED = Wanted(
    probabilities=False, entropy=False, polygons=False, areas=True, overlay=False, min_area=0
)
CORNERS = ((0, 0), (0, 100), (60, 0), (60, 100))
UNKNOWN = "so its place and its pixel size are taken for unknown"


def halves(count: int = 3) -> np.ndarray:
    """Return bands (count, 60, 100) whose left half is dark and whose right one is bright."""
    bands = np.full((count, 60, 100), 51, np.uint8)
    bands[:, :, 50:] = 204
    return bands


def mapped(image: Path, trained: float | None = None, reading: Reading = READING) -> dict[str, Any]:
    """Predict an image; return the place of its map, its ids and its areas."""
    out = image.parent / "maps"
    predictor = Predictor(Brightness(trained), reading, SMALL)
    looked = look_at(image, predictor.model.info, reading, WANTED)
    assert predict_all(predictor, [looked], out, WANTED) == {}
    areas = json.loads((out / f"{image.stem}_areas.json").read_text())
    with rasterio.open(out / f"{image.stem}_classes.tif") as raster:
        return {
            "crs": raster.crs,
            "transform": raster.transform,
            "ids": raster.read(1),
            "areas": [item["area_m2"] for item in areas["classes"]],
        }


def told(capsys: pytest.CaptureFixture[str], image: Path) -> list[str]:
    """Return the remarks on an image, without the last line, which names its maps."""
    lines = capsys.readouterr().out.splitlines()
    assert "_classes.tif" in lines[-1]
    return [line.removeprefix(f"{image}: ") for line in lines[:-1]]


def test_control_points_place_the_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = control_points(CORNERS), "EPSG:2180"
    image = write_geotiff(tmp_path / "a.tif", halves(), points=points)
    made = mapped(image, trained=0.25)
    assert made["crs"] == "EPSG:2180"
    assert np.allclose(made["transform"], CORNER, rtol=1e-12)
    assert made["areas"] == pytest.approx([3000 / 16] * 2, rel=2e-3)
    assert told(capsys, image) == ["placed by its 4 ground control points"]


def test_control_points_give_the_pixel_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = control_points(CORNERS), "EPSG:2180"
    image = write_geotiff(tmp_path / "a.tif", halves(), points=points)
    assert (mapped(image, trained=0.5)["ids"][:, 50:] == 1).all()
    assert told(capsys, image)[1] == "resampled to 50 x 30 px, for a network trained at 0.5 m"


@pytest.mark.parametrize(
    ("options", "remark"),
    [
        ({"crs": "EPSG:2180"}, f"has a CRS but no transform, {UNKNOWN}"),
        (
            {"crs": "EPSG:3857", "transform": Affine.scale(1, -1)},
            f"has a CRS but no transform, {UNKNOWN}",
        ),
        (
            {"rpcs": some_rpcs()},
            f"placed by RPCs alone, {UNKNOWN}; gdalwarp -rpc rectifies it",
        ),
        (
            {"points": (control_points(CORNERS[:2]), "EPSG:2180")},
            "its 2 ground control point(s) make no transform (that takes three which are on no "
            f"line), {UNKNOWN}; gdalwarp rectifies it",
        ),
    ],
)
def test_what_places_nothing_gives_no_areas_and_no_resampling(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: dict[str, Any], remark: str
) -> None:
    image = write_geotiff(tmp_path / "a.tif", halves(), **options)
    made = mapped(image, trained=0.5)
    assert made["crs"] is None
    assert made["transform"] == Affine.identity()
    assert made["areas"] == [None, None]
    assert told(capsys, image) == [
        remark,
        "no georeference, so the maps have none either",
        "taken for pixels of 0.5 m; say otherwise by --gsd",
    ]


def test_a_world_file_and_its_prj_place_the_map(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = write_raster(tmp_path / "a.png", halves(), crs=None)
    (tmp_path / "a.pgw").write_text("0.25\n0\n0\n-0.25\n500000.125\n599999.875\n")
    assert mapped(image)["areas"] == [None, None]
    lost = "no CRS: the maps lie where the image does, without areas in m2"
    assert told(capsys, image)[0] == lost
    (tmp_path / "a.prj").write_text(rasterio.CRS.from_epsg(2180).to_wkt(version="WKT1_ESRI"))
    made = mapped(image)
    assert (made["crs"], made["transform"]) == ("EPSG:2180", CORNER)
    assert made["areas"] == pytest.approx([3000 / 16] * 2, rel=2e-3)
    assert told(capsys, image)[0] == "its CRS is that of a.prj beside it"


def test_declared_bands_are_told_unless_they_were_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model looks at red alone, which is the band of the halves."""
    bands = halves()
    bands[:2] = 51
    kinds = ["blue", "green", "red"]
    place: dict[str, Any] = {"crs": "EPSG:2180", "transform": CORNER}
    image = write_geotiff(tmp_path / "a.tif", bands, kinds=kinds, **place)
    assert (mapped(image)["ids"][:, 50:] == 1).all()
    assert told(capsys, image)[0] == "red, green and blue are its bands 3, 2, 1, as it declares"
    asked = Reading(bands=(1, 2, 3), stretch=None, gsd=None, resample=True)
    assert (mapped(image, reading=asked)["ids"] == 0).all()
    assert told(capsys, image) == ["not resampled: the pixel size of the training is unknown"]


def test_the_overlay_shows_the_declared_bands(tmp_path: Path) -> None:
    from PIL import Image

    bands = np.zeros((3, 60, 400), np.uint8)
    bands[2] = 200
    image = write_geotiff(tmp_path / "a.tif", bands, kinds=["blue", "green", "red"])
    wanted = Wanted(
        probabilities=False, entropy=False, polygons=False, areas=False, overlay=True, min_area=0
    )
    predict(Predictor(Brightness(), READING, SMALL), image, tmp_path / "maps", wanted)
    red, green, blue = np.asarray(Image.open(tmp_path / "maps/a_overlay.png"))[30, 200].tolist()
    # 0.55 of (200, 0, 0) and 0.45 of the colour of bright, (200, 210, 220)
    assert (red, green, blue) == (200, 94, 99)


def test_infrared_that_is_marked_as_alpha_is_told_and_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bands = halves(4)
    bands[3] = np.arange(100)
    image = write_raster(tmp_path / "a.tif", bands)
    ids = mapped(image)["ids"]
    remarks = told(capsys, image)
    assert remarks[0] == "where band 4, marked as alpha, is 0, it has no data"
    assert remarks[-1].startswith("band 4 is marked as alpha, but has many values")
    assert (ids[:, 0] == 255).all()
    assert (ids[:, 1:] < 255).all()
    named = Reading(bands=(4, 1, 2), stretch=None, gsd=None, resample=True)
    assert (mapped(image, reading=named)["ids"] < 255).all()
    assert "alpha" not in "".join(told(capsys, image))
