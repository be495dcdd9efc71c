"""PROJ_DATA and PROJ_LIB of another installation, as QGIS, OSGeo4W, PostGIS and conda set them.

A process of its own each time, since GDAL remembers the coordinate systems that it has seen.
"""

import math
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from code_of_stage import SRC
from rasters import write_raster

pytestmark = pytest.mark.slow

READ = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from affine import Affine
from partialseg.source.raster import ground_size, read_header
with ThreadPoolExecutor(1) as pool:
    header = pool.submit(read_header, Path(sys.argv[1])).result()
header = read_header(Path(sys.argv[1]))
print(header.crs, *ground_size(header.crs, Affine(*header.transform), 40, 40))
"""
WITHOUT_A_WHEEL = """
import partialseg.source.projections as module
module.PROJDataFinder = lambda: type("Finder", (), {"search_wheel": lambda self: None})()
"""
COSINE = 1 / math.cosh(600_000 / 6_378_137)  # of the latitude, by which Mercator stretches


@pytest.fixture
def mercator(tmp_path: Path) -> Path:
    """An image in Mercator at y = 600,000 m, which is 5.38 degrees north."""
    return write_raster(tmp_path / "a.tif", np.zeros((3, 40, 40), np.uint8), crs="EPSG:3857")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The database of an older PROJ, as far as this one looks before it refuses it."""
    folder = tmp_path / "old"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "proj.db")) as database, database:
        database.execute("create table metadata (key text, value text)")
        rows = [("DATABASE.LAYOUT.VERSION.MAJOR", "1"), ("DATABASE.LAYOUT.VERSION.MINOR", "2")]
        database.executemany("insert into metadata values (?, ?)", rows)
    return folder


def run(code: str, *arguments: str, **environment: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(SRC)} | environment,
    )
    return done.stdout.strip(), done.stderr.strip()


def test_rasterio_alone_takes_a_crs_for_a_local_one(mercator: Path, old: Path) -> None:
    """Should it not do so one day, there is nothing to mend."""
    code = "import sys, rasterio; print(rasterio.open(sys.argv[1]).crs.to_string()[:8])"
    assert run(code, str(mercator), PROJ_DATA=str(old))[0] == "LOCAL_CS"


@pytest.mark.parametrize(
    ("variable", "folder"), [("PROJ_DATA", "old"), ("PROJ_LIB", "old"), ("PROJ_DATA", "none")]
)
def test_another_database_changes_nothing(
    mercator: Path, old: Path, variable: str, folder: str
) -> None:
    found, errors = run(READ, str(mercator), **{variable: str(old.with_name(folder))})
    crs, across, _ = found.split()
    assert errors == ""
    assert crs == "EPSG:3857"
    assert float(across) == pytest.approx(0.25 * COSINE, rel=1e-3)


def test_the_sample_is_rendered_in_its_crs(tmp_path: Path, old: Path) -> None:
    code = """
import sys
from pathlib import Path
import numpy as np
from partialseg.datasets.sample.download import Download, write_sample
size = {"min_side": 64, "max_side": 64, "cell": 64}
write_sample(Path(sys.argv[1]), Download(seed=1, orthophotos=1, val_share=0, test_share=0, **size))
"""
    assert run(code, str(tmp_path), PROJ_DATA=str(old)) == ("", "")


def test_a_database_that_cannot_be_made_up_for_is_named(mercator: Path, old: Path) -> None:
    """A rasterio that is no wheel has none of its own."""
    code = WITHOUT_A_WHEEL + READ
    _, errors = run(code, str(mercator), PROJ_DATA=str(old))
    assert errors.splitlines()[-1].startswith(
        f"ValueError: PROJ_DATA={old}: no database of coordinate systems that rasterio "
    )
    assert "; unset PROJ_DATA and PROJ_LIB: " in errors
