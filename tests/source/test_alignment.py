"""Images and masks that lie apart, whatever places them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

from geotiffs import CORNER, control_points, write_geotiff
from partialseg.source.index import write_index
from rasters import LEGEND, write_raster

IMAGE, MASK = np.zeros((3, 30, 40), np.uint8), np.zeros((1, 30, 40), np.uint8)
CORNERS = ((0, 0), (0, 40), (30, 0), (30, 40))
WITH_CRS: dict[str, Any] = {"crs": "EPSG:2180"}
LOCAL = {"crs": 'LOCAL_CS["site",UNIT["metre",1]]'}


def moved(pixels: float) -> Affine:
    return CORNER @ Affine.translation(pixels, 0)


def index(folder: Path) -> None:
    write_index(folder, folder / "images", folder / "masks", LEGEND)


def refused(folder: Path, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        index(folder)
    assert not (folder / "index.json").exists()


@pytest.mark.parametrize("of_image", [WITH_CRS, {}])
@pytest.mark.parametrize("of_mask", [WITH_CRS, {}, LOCAL])
def test_transforms_are_compared_with_and_without_a_crs(
    tmp_path: Path, of_image: dict[str, Any], of_mask: dict[str, Any]
) -> None:
    write_geotiff(tmp_path / "images/a.tif", IMAGE, transform=CORNER, **of_image)
    write_geotiff(tmp_path / "masks/a.tif", MASK, transform=moved(0.4), **of_mask)
    index(tmp_path)
    (tmp_path / "index.json").unlink()
    write_geotiff(tmp_path / "masks/a.tif", MASK, transform=moved(1), **of_mask)
    refused(
        tmp_path,
        r"masks/a\.tif: lies 0\.25 map units away from .*images/a\.tif.*: 1 px, more than half a "
        r"pixel$",
    )


def write_world_file(file: Path, transform: Affine) -> None:
    x, y = transform @ (0.5, 0.5)
    file.write_text(f"{transform.a}\n{transform.d}\n{transform.b}\n{transform.e}\n{x}\n{y}\n")


def test_world_files_are_compared(tmp_path: Path) -> None:
    write_raster(tmp_path / "images/a.png", IMAGE, crs=None)
    write_raster(tmp_path / "masks/a.png", MASK, crs=None)
    write_world_file(tmp_path / "images/a.pgw", CORNER)
    index(tmp_path)
    (tmp_path / "index.json").unlink()
    write_world_file(tmp_path / "masks/a.pgw", moved(-16))
    refused(tmp_path, r"masks/a\.png: lies 4 map units away from .*images/a\.png")


def test_control_points_are_compared(tmp_path: Path) -> None:
    write_geotiff(tmp_path / "images/a.tif", IMAGE, transform=CORNER, **WITH_CRS)
    for pixels in (0.0, 2.0):
        points = control_points(CORNERS, moved(pixels)), "EPSG:2180"
        write_geotiff(tmp_path / "masks/a.tif", MASK, points=points)
        if pixels == 0:
            index(tmp_path)
            (tmp_path / "index.json").unlink()
    refused(tmp_path, r"masks/a\.tif: lies 0\.5 map units away from")


@pytest.mark.parametrize("of_mask", [{}, WITH_CRS])
def test_a_mask_without_transform_lies_on_its_image(
    tmp_path: Path, of_mask: dict[str, Any]
) -> None:
    write_geotiff(tmp_path / "images/a.tif", IMAGE, transform=CORNER, **WITH_CRS)
    write_geotiff(tmp_path / "masks/a.tif", MASK, **of_mask)
    index(tmp_path)
    assert (tmp_path / "index.json").exists()


def test_a_mask_of_another_scale_or_upside_down_lies_elsewhere(tmp_path: Path) -> None:
    write_geotiff(tmp_path / "images/a.tif", IMAGE, transform=CORNER, **WITH_CRS)
    for transform in (
        CORNER @ Affine.scale(2),  # the upper left corner fits
        CORNER @ Affine.translation(0, 30) @ Affine.scale(1, -1),
    ):
        write_geotiff(tmp_path / "masks/a.tif", MASK, transform=transform, **WITH_CRS)
        refused(tmp_path, r"masks/a\.tif: lies .* map units away from")


def test_the_message_says_why_two_lie_apart(tmp_path: Path) -> None:
    write_geotiff(tmp_path / "images/a.tif", IMAGE, transform=CORNER, **WITH_CRS)
    for transform, why in (
        (
            CORNER @ Affine.scale(2),
            "12.5 map .* 50 px, .*; its pixels are 0.5 wide, .* 0.25$",
        ),
        (
            CORNER @ Affine.translation(0, 30) @ Affine.scale(1, -1),
            "7.5 map .* 30 px, .*; it shows the same ground, but turned or mirrored",
        ),
    ):
        write_geotiff(tmp_path / "masks/a.tif", MASK, transform=transform, **WITH_CRS)
        refused(tmp_path, why)
    # In degrees, whose number says nothing beside metres.
    degrees = {"transform": Affine(1e-5, 0, 19, 0, -1e-5, 52), "crs": "EPSG:4326"}
    write_geotiff(tmp_path / "masks/a.tif", MASK, **degrees)
    refused(tmp_path, r", in EPSG:4326 and EPSG:2180: .* px, more than half a pixel$")


@pytest.mark.parametrize(
    ("size", "advice"),
    [((15, 20), "; if they show the same ground: .* -outsize 40 30$"), ((31, 40), r"a\.tif$")],
)
def test_a_mask_of_another_resolution_is_told_from_one_with_a_row_more(
    tmp_path: Path, size: tuple[int, int], advice: str
) -> None:
    write_geotiff(tmp_path / "images/a.tif", IMAGE)
    write_geotiff(tmp_path / "masks/a.tif", np.zeros((1, *size), np.uint8))
    refused(tmp_path, f"size {size[1]} x {size[0]} px differs from 40 x 30 px of .*{advice}")


def test_a_mask_in_another_crs_is_compared_on_the_ground(tmp_path: Path) -> None:
    """UTM zone 34 of ETRS89 and of WGS 84 are one but for their names; zone 33 lies elsewhere."""
    place = Affine(0.25, 0, 500_000, 0, -0.25, 5_800_000)
    write_geotiff(tmp_path / "images/a.tif", IMAGE, transform=place, crs="EPSG:25834")
    write_geotiff(tmp_path / "masks/a.tif", MASK, transform=place, crs="EPSG:32634")
    index(tmp_path)
    (tmp_path / "index.json").unlink()
    write_geotiff(tmp_path / "masks/a.tif", MASK, transform=place, crs="EPSG:32633")
    refused(tmp_path, r"map units away from .*, in EPSG:32633 and EPSG:25834: .* px, more than")


def test_coordinates_that_do_not_fit_their_crs_lie_elsewhere(tmp_path: Path) -> None:
    write_geotiff(tmp_path / "images/a.tif", IMAGE, transform=CORNER, crs="EPSG:2180")
    write_geotiff(tmp_path / "masks/a.tif", MASK, transform=CORNER, crs="EPSG:4326")
    refused(tmp_path, r"lies inf map units away from .*, in EPSG:4326 and EPSG:2180")
