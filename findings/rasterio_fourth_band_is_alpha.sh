#!/usr/bin/env bash
# A GeoTIFF of red, green, blue and near infrared in 8 bits, written by rasterio's defaults.
#
# Guess:    no band has a meaning unless one is stated: grey or undefined, as with 16 bits.
# Date:     2026-11-29; rasterio 1.4.4 (GDAL 3.10.3 in its wheel), Python 3.11.
# Seen:     with four bands of 8 bits, and only then, the fourth is declared alpha (with two it is
#           not). Where near infrared is 0, as over water, the pixel counts as no image: masked
#           reads hide it, WarpedVRT makes all bands 0 there, and a read that shrinks by averages
#           leaves it out, so that red is 10 where 50 is right. A plain read at full size is right,
#           so nothing is noticed.
# So:       write with photometric="MINISBLACK" or alpha="NO", or set colorinterp; do not take the alpha
#           of a four-band file for granted.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q rasterio==1.4.4 numpy==2.4.6

cd "$work"
"$work/env/bin/python" -W ignore - <<'PY'
import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT


def look(count: int, dtype: str, **options: str) -> tuple[str, int, list[int], list[int]]:
    """Return the meaning of the last band, and what three ways of reading make of red."""
    bands = np.full((count, 2, 4), 200, dtype)
    bands[0] = [10, 90, 10, 90]  # red; 50 in the mean
    bands[-1, :, 1] = 0  # near infrared
    profile = {"driver": "GTiff", "width": 4, "height": 2, "count": count, "dtype": dtype}
    profile |= {"crs": "EPSG:2180", "transform": from_origin(500000, 500000, 0.25, 0.25)}
    with rasterio.open("image.tif", "w", **profile, **options) as raster:
        raster.write(bands)
    with rasterio.open("image.tif") as raster, WarpedVRT(raster) as warped:
        masked = int(raster.read(1, masked=True).mask.sum())
        half = raster.read(1, out_shape=(1, 2), resampling=Resampling.average)[0].tolist()
        return raster.colorinterp[-1].name, masked, half, warped.read(1)[0].tolist()


right = ("undefined", 0, [50, 50], [10, 90, 10, 90])
found = look(4, "uint8")
print("4 bands, uint8: last band, masked pixels, red by averages, red of a WarpedVRT:", *found)
assert found == ("alpha", 2, [10, 50], [10, 0, 10, 90]), "changed"
for count, dtype in ((2, "uint8"), (5, "uint8"), (4, "uint16")):
    assert look(count, dtype) == right, "changed"
for options in ({"photometric": "MINISBLACK"}, {"alpha": "NO"}):
    assert look(4, "uint8", **options) == right, ("changed", options, look(4, "uint8", **options))
print("2 or 5 bands, 16 bits, MINISBLACK or ALPHA=NO:", *right)
PY
