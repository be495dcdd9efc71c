"""Where a raster lies: its size, its coordinate system and its transform."""

from dataclasses import dataclass

from affine import Affine
from rasterio.crs import CRS
from rasterio.io import DatasetReader

from partialseg.source.placement import place_of


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Size in pixels, CRS (None: no georeference) and transform, pixel to map.

    remark is that of partialseg.source.placement on where the two come from.
    """

    width: int
    height: int
    crs: CRS | None
    transform: Affine
    remark: str = ""

    @property
    def crs_text(self) -> str:
        """The CRS as text, '' where there is none."""
        return str(self.crs.to_string()) if self.crs else ""

    @property
    def placed(self) -> Affine:
        """The transform; without georeference a pixel is a unit and y = -row, as QGIS shows it."""
        return Affine.scale(1, -1) if self.transform == Affine.identity() else self.transform


def frame_of(raster: DatasetReader) -> Frame:
    """Return where an open raster lies."""
    place = place_of(raster)
    return Frame(
        width=raster.width,
        height=raster.height,
        crs=place.crs,
        transform=place.transform,
        remark=place.remark,
    )
