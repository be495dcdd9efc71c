import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image

from mapping_models import PLAIN, Brightness
from partialseg.mapping.maps import Wanted, predict
from partialseg.mapping.random_access import random_access, reads_in_order
from partialseg.mapping.rasters import Predictor
from partialseg.mapping.tiles import Stitching
from partialseg.source.raster import open_raster
from rasters import limited_files, write_raster


def noise(channels: int) -> NDArray[np.uint8]:
    return np.random.default_rng(2).integers(0, 256, (600, 700, channels), np.uint8)


def test_a_tiff_is_read_as_it_is(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "a.tif", np.zeros((3, 20, 30), np.uint8))
    with random_access(image, tmp_path) as pixels:
        assert pixels == image
        assert os.listdir(tmp_path) == ["a.tif"]


def test_a_vrt_of_one_picture_that_is_decoded_in_order_is_copied(tmp_path: Path) -> None:
    """Of several it would be a whole country, and each is decoded quickly."""
    vrts = []
    for names in (["a.jpg"], ["b.tif"], ["a.jpg", "b.png"]):
        bands = []
        for number, name in enumerate(names, start=1):
            Image.fromarray(noise(3)).save(tmp_path / name)
            bands.append(
                f'<VRTRasterBand dataType="Byte" band="{number}"><SimpleSource>'
                f'<SourceFilename relativeToVRT="1">{name}</SourceFilename>'
                "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
            )
        vrts.append(tmp_path / f"{'-'.join(names)}.vrt")
        text = f'<VRTDataset rasterXSize="700" rasterYSize="600">{"".join(bands)}</VRTDataset>'
        vrts[-1].write_text(text)
    assert [reads_in_order(vrt) for vrt in vrts] == [True, False, False]
    with open_raster(vrts[0]) as raster:
        expected = raster.read()
    with random_access(vrts[0], tmp_path) as pixels, open_raster(pixels) as raster:
        assert raster.driver == "GTiff"
        np.testing.assert_array_equal(raster.read(), expected)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_copy_has_the_pixels_and_goes_away(name: str, tmp_path: Path) -> None:
    image = tmp_path / name
    Image.fromarray(noise(3)).save(image, **({"progressive": True} if name == "a.jpg" else {}))
    with open_raster(image) as raster:
        expected = raster.read()
    with random_access(image, tmp_path) as pixels, open_raster(pixels) as raster:
        assert (raster.driver, raster.block_shapes[0]) == ("GTiff", (256, 256))
        assert raster.crs is None and raster.transform == rasterio.Affine.identity()
        np.testing.assert_array_equal(raster.read(), expected)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.slow
def test_a_copy_keeps_what_says_where_there_is_data(tmp_path: Path) -> None:
    pixels = noise(4)
    pixels[..., 3] = 255
    pixels[:100, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    stitching = Stitching(tile=64, overlap=16, batch_size=1)
    wanted = Wanted(
        probabilities=False, entropy=False, polygons=False, areas=False, overlay=False, min_area=0
    )
    predict(Predictor(Brightness(), PLAIN, stitching), tmp_path / "a.png", tmp_path / "o", wanted)
    with rasterio.open(tmp_path / "o" / "a_classes.tif") as raster:
        ids = raster.read(1)
    assert (ids[:100] == 255).all()
    np.testing.assert_array_equal(ids[100:], pixels[100:, :, 0] >= 128)
    assert sorted(os.listdir(tmp_path / "o")) == [
        "a_classes.qml",
        "a_classes.tif",
        "a_classes.tif.aux.xml",
    ]


def test_a_disk_that_is_full_is_one_line(tmp_path: Path) -> None:
    Image.fromarray(noise(3)).save(tmp_path / "a.png")
    message = r"a\.png: cannot be decoded into .*\.a\.png\.pixels\.part \(damaged, or is the disk"
    with (
        limited_files(200_000),
        pytest.raises(OSError, match=message),
        random_access(tmp_path / "a.png", tmp_path),
    ):
        pass
    assert os.listdir(tmp_path) == ["a.png"]
