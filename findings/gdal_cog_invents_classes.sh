#!/usr/bin/env bash
# A mask of class ids, written as a Cloud Optimized GeoTIFF, and read smaller.
#
# Guess:    GDAL makes the overviews of an 8-bit, one-band file of integers by the nearest pixel, as
#           gdaladdo and a decimated read of a plain GeoTIFF do, so that every value is a class.
# Date:     2026-11-29; rasterio 1.4.4 (GDAL 3.10.3 in its wheel), Python 3.11.
# Seen:     a mask of the ids 0 and 4 gets overviews with 1, 2 and 3, too (by cubic interpolation),
#           with or without a nodata value; and every decimated read with the default resampling
#           (nearest) returns them, since GDAL takes the overview. At full size all is right. With a
#           colour table the overviews are of the nearest pixel.
# So:       write a colour table, or OVERVIEW_RESAMPLING=NEAREST; and read masks at full size, or open
#           them with OVERVIEW_LEVEL=NONE, before their values are counted.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q rasterio==1.4.4 numpy==2.4.6

cd "$work"
"$work/env/bin/python" -W ignore - <<'PY'
import numpy as np
import rasterio
from rasterio.shutil import copy
from rasterio.transform import from_origin

fields = np.random.default_rng(0).integers(0, 2, (128, 128), dtype=np.uint8) * 4
mask = np.roll(fields.repeat(8, 0).repeat(8, 1), 3, (0, 1))
profile = {"driver": "GTiff", "width": 1024, "height": 1024, "count": 1, "dtype": "uint8"}
profile |= {"crs": "EPSG:2180", "transform": from_origin(500000, 500000, 0.25, 0.25)}


def values(nodata: int | None, colours: bool, **options: str) -> dict[str, list[int]]:
    with rasterio.open("plain.tif", "w", nodata=nodata, **profile) as raster:
        raster.write(mask, 1)
        if colours:
            raster.write_colormap(1, {0: (9, 9, 9, 255), 4: (99, 99, 99, 255)})
    copy("plain.tif", "cog.tif", driver="COG", **options)
    with rasterio.open("plain.tif") as plain, rasterio.open("cog.tif") as cog:
        read = {"full size": cog.read(1), "half": cog.read(1, out_shape=(512, 512))}
        read |= {"plain, half": plain.read(1, out_shape=(512, 512))}
    return {name: np.unique(found).tolist() for name, found in read.items()}


right = {"full size": [0, 4], "half": [0, 4], "plain, half": [0, 4]}
for nodata in (None, 255):
    found = values(nodata, colours=False)
    print(f"nodata {nodata}:", found)
    assert found == right | {"half": [0, 1, 2, 3, 4]}, "changed"
assert values(None, colours=True) == right, "changed"
assert values(None, colours=False, OVERVIEW_RESAMPLING="NEAREST") == right, "changed"
print("with a colour table, or OVERVIEW_RESAMPLING=NEAREST:", right)
PY
