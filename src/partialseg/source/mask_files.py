"""Check that the file of a mask can hold classes: no lossy compression, a type that fits."""

from pathlib import Path

import numpy as np
from rasterio.io import DatasetReader

from partialseg.source.mask_code import MaskCode
from partialseg.source.raster import open_raster


def check_mask(file: Path, kind: str, code: MaskCode) -> None:
    """Check the header of a mask; kind is 'a mask' or the like.

    Raises:
        ValueError: it is a JPEG or of another lossy compression, of a wrong type, its palette shows
            other ids than it holds, or its nodata value is also the value of a class.
    """
    with open_raster(file) as raster:
        compression = _lossy_compression(raster)
        if compression:
            raise ValueError(
                f"{file}: {kind} cannot be {compression}, since its compression changes values; "
                "make it anew as PNG or TIFF without loss, for the values are not in this file"
            )
        _check_type(file, kind, raster.dtypes, code)
        if code.shows_other_ids(raster):
            raise ValueError(
                f"{file}: {kind} of ids whose palette shows other ids than it holds: programs that "
                "reduce colours number them anew; make it grey, without a palette "
                "(gdal_translate -expand gray), or correct the palette"
            )
        value = code.conflict(raster)
    if value is not None:
        raise ValueError(
            f"{file}: its nodata value {value:g} is also the {'colour' if code.colours else 'id'} "
            "of a class; if it is that, take the tag away (rio edit-info --unset-nodata FILE)"
            f"{'' if code.colours else ', or state the ids of all classes as their `values`'}"
        )


def _lossy_compression(raster: DatasetReader) -> str:
    """Return the name of a compression that changes values, '' if there is none."""
    tags = raster.tags(ns="IMAGE_STRUCTURE")
    of_band = raster.tags(1, ns="IMAGE_STRUCTURE")
    compression: str = (of_band | tags).get("COMPRESSION", "")
    if raster.driver == "JPEG" or "JPEG" in compression.replace("JPEG2000", ""):
        return "a JPEG"
    is_lossy = tags.get("COMPRESSION_REVERSIBILITY") == "LOSSY"
    return f"a lossy {compression}" if is_lossy else ""


def _check_type(file: Path, kind: str, types: tuple[str, ...], code: MaskCode) -> None:
    if code.colours:
        if set(types) != {"uint8"}:
            raise ValueError(f"{file}: {kind} of colours must be 8-bit, got {types[0]}")
    elif any(np.dtype(item).kind not in "uif" for item in types):
        raise ValueError(f"{file}: {kind} must hold numbers, got {types[0]}")
