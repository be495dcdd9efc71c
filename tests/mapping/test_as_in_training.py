"""Images are read as those of the training were, unless somebody says otherwise."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from checkpoints import checkpoint_of, trained_network
from mapping_models import PLAIN, Brightness
from partialseg.mapping.maps import Predictor, Wanted
from partialseg.mapping.model import ModelInfo, info_of
from partialseg.mapping.orthophoto import Reading, open_orthophoto
from partialseg.mapping.predict import look_at, predict_all, reading_for
from partialseg.mapping.tiles import Stitching
from partialseg.tiling.patches import Imagery
from rasters import write_raster

ASKED = Reading(bands=None, stretch=None, gsd=None, resample=True)
WANTED = Wanted(
    probabilities=False, entropy=False, polygons=False, areas=False, overlay=False, min_area=0
)
STRETCH = ((0.0, 510.0), (100.0, 200.0), (0.0, 1020.0))


def info(**changed: object) -> ModelInfo:
    plain = {"imagery": Imagery(), "ground_sampling_distances": [], "source_size": 32}
    return info_of(checkpoint_of(trained_network(), **plain | changed))


def map_one(predictor: Predictor, file: Path, out: Path) -> None:
    """Predict an image as src/predict.py does."""
    reading = reading_for(predictor.model.info, predictor.reading)
    looked = look_at(file, predictor.model.info, reading, WANTED)
    assert predict_all(replace(predictor, reading=reading), [looked], out, WANTED) == {}


def test_what_a_checkpoint_knows_is_taken_and_what_is_asked_for_counts_more() -> None:
    trained = info(imagery=Imagery(bands=(3, 2, 1), stretch=STRETCH), source_size=48)
    reading = reading_for(trained, ASKED)
    assert (reading.bands, reading.stretch, reading.assumed_scale) == ((3, 2, 1), STRETCH, 1.5)
    assert reading.from_training == {"bands", "stretch"}
    asked = Reading(bands=(1, 2, 3), stretch=(0.0, 9.0), gsd=2.0, resample=True)
    reading = reading_for(trained, asked)
    assert (reading.bands, reading.stretch, reading.gsd) == ((1, 2, 3), (0.0, 9.0), 2.0)
    assert reading.from_training == frozenset()
    # Cells of different sides: only the pixel size on the ground says how large they were.
    assert reading_for(info(source_size=0), ASKED).assumed_scale == 1


def test_an_image_is_stretched_band_by_band_in_the_bands_of_the_training(tmp_path: Path) -> None:
    bands = np.zeros((4, 32, 48), np.uint16)
    bands[:] = np.array([200, 150, 100, 9])[:, None, None]
    file = write_raster(tmp_path / "a.tif", bands, crs=None)
    trained = info(imagery=Imagery(bands=(3, 2, 1), stretch=STRETCH), source_size=64)
    with open_orthophoto(file, (), reading_for(trained, ASKED)) as orthophoto:
        assert orthophoto.shape == (16, 24)  # two pixels of the training made one of a patch
        shown = orthophoto.read(slice(0, 16), slice(0, 24))
    assert np.unique(shown.reshape(-1, 3), axis=0).tolist() == [[50, 128, 50]]


def test_an_8_bit_image_needs_a_word_where_the_training_had_a_stretch(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.tif", np.full((3, 32, 32), 90, np.uint8))
    trained = info(imagery=Imagery(stretch=STRETCH))
    message = r"a\.tif: is 8-bit, .*\[0\.0, 100\.0, 0\.0\] and \[510\.0, 200\.0, 1020\.0\] became"
    with (
        pytest.raises(ValueError, match=message),
        open_orthophoto(file, (), reading_for(trained, ASKED)),
    ):
        pass
    as_it_is = Reading(bands=None, stretch=(0.0, 255.0), gsd=None, resample=True)
    with open_orthophoto(file, (), reading_for(trained, as_it_is)) as orthophoto:
        assert orthophoto.read(slice(0, 1), slice(0, 1)).tolist() == [[[90, 90, 90]]]


@pytest.mark.parametrize(
    ("distances", "remark"),
    [
        ([], "resampled to 24 x 16 px, as the images of the training were"),
        ([1.0], "taken for pixels of 0.5 m; say otherwise by --gsd"),
    ],
)
def test_an_image_without_pixel_size_has_the_scale_of_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], distances: list[float], remark: str
) -> None:
    file = write_raster(tmp_path / "a.png", np.full((3, 32, 48), 90, np.uint8), crs=None)
    model = Brightness()
    model.info = info(source_size=64, ground_sampling_distances=distances)
    stitching = Stitching.for_patches(32, 32, 16, 1)
    map_one(Predictor(model, PLAIN, stitching), file, tmp_path / "maps")
    assert f"{file}: {remark}\n" in capsys.readouterr().out
    refusing = Reading(bands=None, stretch=None, gsd=None, resample=False)
    with pytest.raises(ValueError, match=r"2 pixels would become one, as in training; it was not"):
        map_one(Predictor(model, refusing, stitching), file, tmp_path / "maps")


def test_bands_of_the_training_do_not_make_an_rgb_image_infrared(tmp_path: Path) -> None:
    file = write_raster(tmp_path / "a.png", np.full((3, 32, 32), 90, np.uint8), crs=None)
    model = Brightness()
    model.info = info(imagery=Imagery(bands=(1, 2, 3), names=("nir", "red", "green")))
    stitching = Stitching.for_patches(32, 32, 16, 1)
    with pytest.raises(ValueError, match=r"a\.png: its bands 1, 2, 3 are red, green, blue, and"):
        map_one(Predictor(model, ASKED, stitching), file, tmp_path / "maps")
    asked = Reading(bands=(1, 2, 3), stretch=None, gsd=None, resample=True)
    map_one(Predictor(model, asked, stitching), file, tmp_path / "maps")
    assert (tmp_path / "maps" / "a_classes.tif").is_file()


@pytest.mark.parametrize(
    ("gsd", "remark"),
    [
        (0.25, ""),
        (0.5, "pixels of 0.5 m, as given by --gsd; its georeference says 0.25 x 0.25 m"),
    ],
)
def test_a_pixel_size_that_contradicts_the_georeference_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], gsd: float, remark: str
) -> None:
    file = write_raster(tmp_path / "a.tif", np.full((3, 32, 48), 90, np.uint8))
    model = Brightness()
    model.info = info(source_size=32, ground_sampling_distances=[0.5])
    given = Reading(bands=None, stretch=None, gsd=gsd, resample=True)
    stitching = Stitching.for_patches(32, 32, 16, 1)
    map_one(Predictor(model, given, stitching), file, tmp_path / "maps")
    told = [line for line in capsys.readouterr().out.splitlines() if "by --gsd" in line]
    assert told == ([f"{file}: {remark}"] if remark else [])
