"""Where rasters lie, whatever they say it by."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from geotiffs import CORNER, control_points, some_rpcs, write_geotiff
from partialseg.source.placement import fitted
from partialseg.source.raster import read_header
from rasters import write_raster

IMAGE = np.zeros((3, 40, 60), np.uint8)
CORNERS = ((0, 0), (0, 60), (40, 0), (40, 60))
NOWHERE = ("", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))


def place(file: Path) -> tuple[str, tuple[float, ...]]:
    header = read_header(file)
    return header.crs, header.transform


def test_a_transform_needs_no_remark(tmp_path: Path) -> None:
    file = write_geotiff(tmp_path / "a.tif", IMAGE, crs="EPSG:2180", transform=CORNER)
    header = read_header(file)
    assert (header.crs, header.transform) == ("EPSG:2180", tuple(CORNER)[:6])
    assert header.place_remark == ""


@pytest.mark.parametrize("number", [3, 4])
def test_control_points_alone_place_a_file(tmp_path: Path, number: int) -> None:
    points = control_points(CORNERS[:number])
    file = write_geotiff(tmp_path / "a.tif", IMAGE, points=(points, "EPSG:2180"))
    header = read_header(file)
    assert header.crs == "EPSG:2180"
    assert header.transform == pytest.approx(tuple(CORNER)[:6], rel=1e-12)
    assert header.transform[1] == header.transform[3] == 0  # rounding is no rotation
    assert header.place_remark == f"placed by its {number} ground control points"


def test_control_points_may_turn_and_shear(tmp_path: Path) -> None:
    transform = Affine(0.2, 0.1, 500_000, -0.05, -0.3, 600_000)
    points = control_points([*CORNERS, (13, 47)], transform)
    file = write_geotiff(tmp_path / "a.tif", IMAGE, points=(points, "EPSG:2180"))
    assert read_header(file).transform == pytest.approx(tuple(transform)[:6], rel=1e-9)


def test_control_points_lie_in_a_crs_of_their_own(tmp_path: Path) -> None:
    """A VRT can name another CRS for the raster, in which nothing is placed."""
    degrees = Affine(1e-6, 0, 20, 0, -1e-6, 50)
    points = control_points(CORNERS, degrees)
    write_geotiff(tmp_path / "a.tif", IMAGE, points=(points, "EPSG:4326"))
    listed = "".join(
        f'<GCP Pixel="{item.col}" Line="{item.row}" X="{item.x}" Y="{item.y}"/>' for item in points
    )
    (tmp_path / "a.vrt").write_text(
        '<VRTDataset rasterXSize="60" rasterYSize="40"><SRS>EPSG:2180</SRS>'
        f'<GCPList Projection="EPSG:4326">{listed}</GCPList>'
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="1">'
        "a.tif</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        "</VRTDataset>"
    )
    for name in ("a.tif", "a.vrt"):
        crs, transform = place(tmp_path / name)
        assert crs == "EPSG:4326"
        assert transform == pytest.approx(tuple(degrees)[:6], rel=1e-9)


def test_control_points_without_a_crs_give_a_transform_without_one(tmp_path: Path) -> None:
    file = write_geotiff(tmp_path / "a.tif", IMAGE, points=(control_points(CORNERS), ""))
    crs, transform = place(file)
    assert crs == ""
    assert transform == pytest.approx(tuple(CORNER)[:6], rel=1e-12)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (control_points(CORNERS[:1]), r"its 1 ground .* \(that takes three which are on no line\)"),
        (control_points(CORNERS[:2]), r"its 2 ground .* \(that takes three which are on no line\)"),
        (control_points([(0, 0), (1, 1), (7, 7)]), r"its 3 .* on no line\)"),
        (
            [GroundControlPoint(row=r, col=c, x=r + c, y=r + c) for r, c in CORNERS],
            r"its 4 .* on no line\)",
        ),
    ],
)
def test_too_few_control_points_place_nothing(
    tmp_path: Path, points: list[GroundControlPoint], reason: str
) -> None:
    header = read_header(write_geotiff(tmp_path / "a.tif", IMAGE, points=(points, "EPSG:2180")))
    assert (header.crs, header.transform) == NOWHERE
    message = rf"^{reason}, so its place and .* taken for unknown; gdalwarp rectifies it$"
    with pytest.raises(ValueError, match=message):
        raise ValueError(header.place_remark)


def bent(metres: float) -> list[GroundControlPoint]:
    """Return the four corners, one of them moved: a plane leaves a quarter of that at each."""
    points = control_points(CORNERS)
    points[0].x += metres
    return points


def test_how_far_control_points_are_off_counts_in_pixels() -> None:
    transform, off = fitted(bent(0.4))
    assert off == pytest.approx(0.1 / math.sqrt(-transform.determinant), rel=1e-9)
    assert off == pytest.approx(0.4, rel=0.01)  # 0.1 m of pixels of 0.25 m


def test_control_points_of_a_bent_image_are_no_transform(tmp_path: Path) -> None:
    file = write_geotiff(tmp_path / "a.tif", IMAGE, points=(bent(0.4), "EPSG:2180"))
    assert place(file)[0] == "EPSG:2180"
    header = read_header(write_geotiff(file, IMAGE, points=(bent(4.0), "EPSG:2180")))
    assert (header.crs, header.transform) == NOWHERE
    # 1 m, of pixels whose width the plane makes 0.25 - 2 / 60 m: 1 / sqrt(0.2167 x 0.25) = 4.297
    assert header.place_remark.startswith(
        "its 4 ground control point(s) make no transform (they are up to 4.3 px off), so its place"
    )


@pytest.mark.parametrize("profile", [{}, {"transform": Affine(1, 0, 0, 0, -1, 0)}])
def test_a_crs_without_transform_places_nothing(tmp_path: Path, profile: dict[str, Any]) -> None:
    file = write_geotiff(tmp_path / "a.tif", IMAGE, crs="EPSG:2180", **profile)
    header = read_header(file)
    assert (header.crs, header.transform) == NOWHERE
    assert header.place_remark == (
        "has a CRS but no transform, so its place and its pixel size are taken for unknown"
    )


def test_a_local_plane_may_begin_at_zero(tmp_path: Path) -> None:
    local = 'LOCAL_CS["site",UNIT["metre",1]]'
    file = write_geotiff(tmp_path / "a.tif", IMAGE, crs=local, transform=Affine.scale(1, -1))
    crs, transform = place(file)
    assert crs.startswith('LOCAL_CS["site"')
    assert transform == (1, 0, 0, 0, -1, 0)


def test_rpcs_alone_place_nothing(tmp_path: Path) -> None:
    header = read_header(write_geotiff(tmp_path / "a.tif", IMAGE, rpcs=some_rpcs()))
    assert (header.crs, header.transform) == NOWHERE
    assert header.place_remark == (
        "placed by RPCs alone, so its place and its pixel size are taken for unknown; "
        "gdalwarp -rpc rectifies it"
    )


def write_with_world_file(file: Path, prj: bytes | None) -> Path:
    write_raster(file, IMAGE, crs=None)
    world = file.with_suffix({".png": ".pgw", ".jpg": ".jgw", ".tif": ".tfw"}[file.suffix])
    world.write_text("0.25\n0\n0\n-0.25\n500000.125\n599999.875\n")
    if prj is not None:
        file.with_suffix(".prj").write_bytes(prj)
    return file


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_world_file_is_a_transform_without_a_crs(tmp_path: Path, suffix: str) -> None:
    file = write_with_world_file(tmp_path / f"a{suffix}", None)
    assert place(file) == ("", tuple(CORNER)[:6])
    assert read_header(file).place_remark == ""


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("dialect", ["WKT1_ESRI", "WKT2_2018"])
def test_a_prj_beside_is_the_crs_of_a_world_file(tmp_path: Path, suffix: str, dialect: str) -> None:
    text = CRS.from_epsg(2180).to_wkt(version=dialect)
    file = write_with_world_file(tmp_path / f"a{suffix}", text.encode())
    assert place(file) == ("EPSG:2180", tuple(CORNER)[:6])
    assert read_header(file).place_remark == "its CRS is that of a.prj beside it"


@pytest.mark.parametrize("content", [b"", b"Projection NONSENSE", b"\xff\xfe\x00"])
def test_a_prj_that_says_nothing_is_told(tmp_path: Path, content: bytes) -> None:
    file = write_with_world_file(tmp_path / "a.png", content)
    assert place(file) == ("", tuple(CORNER)[:6])
    assert read_header(file).place_remark == (
        "without CRS, as a.prj beside it names none that can be read"
    )


def test_a_prj_beside_changes_no_crs_and_places_nothing(tmp_path: Path) -> None:
    """It may be that of a shapefile of the same name."""
    (tmp_path / "a.prj").write_text(CRS.from_epsg(4326).to_wkt())
    file = write_geotiff(tmp_path / "a.tif", IMAGE, crs="EPSG:2180", transform=CORNER)
    assert place(file)[0] == "EPSG:2180"
    write_geotiff(file, IMAGE)
    assert place(file) == NOWHERE


def test_gdal_reads_no_prj(tmp_path: Path) -> None:
    """Should it do so one day, ours is not needed."""
    text = CRS.from_epsg(2180).to_wkt(version="WKT1_ESRI")
    with rasterio.open(write_with_world_file(tmp_path / "a.png", text.encode())) as raster:
        assert raster.crs is None
