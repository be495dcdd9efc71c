#!/usr/bin/env bash
# A GeoTIFF opened by GDAL with OVERVIEW_LEVEL=NONE, so that its overviews are left alone.
#
# Guess:    the file is the same but for its overviews: names of bands, tags and georeference stay.
# Date:     2026-11-29; rasterio 1.4.4 (GDAL 3.10.3 in its wheel), Python 3.11.
# Seen:     the names (descriptions) of all bands are gone. Their tags, those of the file, size,
#           types, nodata value and colours of the bands stay. Nothing is raised.
# So:       whoever chooses bands by their names must read the names from the file as opened without
#           the option, and may read the pixels with it.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q rasterio==1.4.4 numpy==2.4.6

cd "$work"
"$work/env/bin/python" - <<'PY'
import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

place = {"crs": "EPSG:32633", "transform": from_origin(5e5, 6e6, 0.25, 0.25), "nodata": 0}
size = {"driver": "GTiff", "width": 64, "height": 64, "count": 3, "dtype": "uint8"}
with rasterio.open("a.tif", "w", **size, **place) as file:
    for band, name in enumerate(("blue", "green", "red"), 1):
        file.set_band_description(band, name)
        file.update_tags(band, sensor="one")
    file.update_tags(flight="a")
    file.write(np.ones((3, 64, 64), np.uint8))

for options in ({}, {"OVERVIEW_LEVEL": "NONE"}):
    with rasterio.open("a.tif", **options) as file:
        print(options or "as it is", file.descriptions, file.tags(1), file.tags().get("flight"))
        facts = file.shape, file.dtypes, file.nodata, file.colorinterp, file.crs, file.transform
        if options:
            assert facts == before, "changed: more than names and tags differ"
            assert file.descriptions == (None, None, None), "changed: the names stay"
            assert file.tags(1)["sensor"] == "one", "changed: the tags of bands go, too"
            assert file.tags()["flight"] == "a", "changed: the tags of the file go, too"
        else:
            assert file.descriptions == ("blue", "green", "red")
            assert file.colorinterp == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
            before = facts
PY
