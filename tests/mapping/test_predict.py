"""src/predict.py: the maps of whole orthophotos, as people ask for them."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import pytest
import rasterio
import torch
from affine import Affine
from numpy.typing import NDArray
from PIL import Image

from checkpoints import checkpoint_of, trained_network
from code_of_stage import SRC
from geotiffs import write_geotiff
from mapping_models import PLAIN, Brightness
from partialseg.core.command import run
from partialseg.engine.checkpoint import save_checkpoint
from partialseg.mapping.maps import Wanted, predict
from partialseg.mapping.model import TorchModel
from partialseg.mapping.options import stretch_of
from partialseg.mapping.rasters import Predictor
from partialseg.mapping.tiles import Stitching
from partialseg.models.build import build_network
from partialseg.tiling.patches import Imagery
from predict import main
from rasters import write_raster
from small_run import CPU, fails_with, isolate

SMALL = Stitching(tile=64, overlap=16, batch_size=4)
BRIGHTNESS = Predictor(Brightness(), PLAIN, SMALL)
NOTHING = {
    "probabilities": False,
    "entropy": False,
    "polygons": False,
    "areas": False,
    "overlay": False,
    "min_area": 0.0,
}
ALL = Wanted(**dict.fromkeys(NOTHING, True) | {"min_area": 0.0})
MADE = [
    "a_areas.csv",
    "a_areas.json",
    "a_classes.qml",
    "a_classes.tif",
    "a_classes.tif.aux.xml",
    "a_entropy.qml",
    "a_entropy.tif",
    "a_overlay.png",
    "a_polygons.gpkg",
    "a_probabilities.qml",
    "a_probabilities.tif",
]
BESIDE = (".xml", ".qml")  # names and styles of the maps


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolate(monkeypatch, tmp_path)


def halves(height: int = 60, width: int = 100) -> NDArray[np.uint8]:
    """Return bands (3, H, W) whose left half is dark (51 of 255) and whose right one is bright."""
    bands = np.full((3, height, width), 51, np.uint8)
    bands[:, :, width // 2 :] = 204
    return bands


def predict_by_brightness(image: Path, out: Path, **changes: Any) -> list[Path]:
    return predict(BRIGHTNESS, image, out, Wanted(**NOTHING | changes))


def read(file: Path) -> NDArray[np.uint8]:
    with rasterio.open(file) as raster:
        return raster.read()


def test_the_class_map_lies_on_the_image(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "a.tif", halves())
    (made,) = predict_by_brightness(image, tmp_path / "maps")
    assert made == tmp_path / "maps" / "a_classes.tif"
    with rasterio.open(image) as of_image, rasterio.open(made) as of_map:
        assert of_map.crs == of_image.crs
        assert of_map.transform == of_image.transform
        assert (of_map.width, of_map.height, of_map.nodata) == (100, 60, 255)
        assert of_map.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert of_map.tags()["CLASS_NAMES"] == '["dark", "bright"]'
        assert of_map.tags()["model"] == "a model of the tests"
        assert of_map.tags()["commit"] == "0123456789"
        assert of_map.colormap(1)[1][:3] == (200, 210, 220)
    ids = read(made)[0]
    assert (ids[:, :50] == 0).all() and (ids[:, 50:] == 1).all()


def test_all_maps_agree(tmp_path: Path) -> None:
    """Dark with 0.8, bright with 0.8; a pixel is (0.25 m)2, but for the scale of the grid."""
    image = write_raster(tmp_path / "a.tif", halves())
    out = tmp_path / "maps"
    made = predict(BRIGHTNESS, image, out, ALL)
    assert sorted(os.listdir(out)) == MADE
    assert {file.name for file in made} == {name for name in MADE if not name.endswith(BESIDE)}
    dark, bright = read(out / "a_probabilities.tif")
    assert (dark[:, :50] == 200).all() and (bright[:, :50] == 50).all()
    assert (bright[:, 50:] == 200).all()
    # -(0.8 ln 0.8 + 0.2 ln 0.2) / ln 2 = 0.7219
    assert (read(out / "a_entropy.tif") == 180).all()
    rows = list(csv.DictReader((out / "a_areas.csv").open()))
    assert [(row["class_name"], row["pixels"]) for row in rows[:2]] == [
        ("dark", "3000"),
        ("bright", "3000"),
    ]
    assert float(rows[0]["area_m2"]) == pytest.approx(3000 / 16, rel=2e-3)
    assert json.loads((out / "a_areas.json").read_text())["nodata_pixels"] == 0
    _, _, geometries, fields = pyogrio.raw.read(out / "a_polygons.gpkg", layer="land_cover")
    assert len(geometries) == 2
    assert sorted(fields[1]) == ["bright", "dark"]
    with Image.open(out / "a_overlay.png") as picture:
        assert picture.width >= 100 and picture.height > 60


def test_pixels_without_data_have_no_class(tmp_path: Path) -> None:
    bands = halves()
    bands[:, 20:, :] = 0
    image = write_raster(tmp_path / "a.tif", bands)
    with rasterio.open(image, "r+") as raster:
        raster.nodata = 0
    out = tmp_path / "maps"
    predict_by_brightness(image, out, probabilities=True, entropy=True)
    for name in ("classes", "probabilities", "entropy"):
        pixels = read(out / f"a_{name}.tif")
        assert (pixels[:, 20:] == 255).all(), name
        assert (pixels[:, :20] < 251).all(), name


def test_a_rotated_image_has_a_rotated_map(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "a.tif", halves())
    rotated = Affine.translation(500_000, 600_000) @ Affine.rotation(30) @ Affine.scale(0.25, -0.25)
    with rasterio.open(image, "r+") as raster:
        raster.transform = rotated
    predict_by_brightness(image, tmp_path / "maps", areas=True)
    with rasterio.open(tmp_path / "maps" / "a_classes.tif") as raster:
        assert raster.transform.almost_equals(rotated, 1e-9)
    areas = json.loads((tmp_path / "maps" / "a_areas.json").read_text())
    assert areas["classes"][0]["area_m2"] == pytest.approx(3000 / 16, rel=2e-3)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_an_image_without_georeference_works(tmp_path: Path, suffix: str) -> None:
    image = write_raster(tmp_path / f"a{suffix}", halves(), crs=None)
    out = tmp_path / "maps"
    predict_by_brightness(image, out, areas=True, polygons=True, min_area=10)
    with rasterio.open(out / "a_classes.tif") as raster:
        assert raster.crs is None
        assert raster.read(1)[:, [0, 99]].tolist() == [[0, 1]] * 60
    areas = json.loads((out / "a_areas.json").read_text())
    assert [item["area_m2"] for item in areas["classes"]] == [None, None]
    assert len(pyogrio.raw.read(out / "a_polygons.gpkg", layer="land_cover")[2]) == 2


def test_an_image_of_another_resolution_gets_a_map_of_its_own(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "a.tif", halves(120, 200))
    predictor = Predictor(Brightness(0.5), PLAIN, SMALL)
    predict(predictor, image, tmp_path / "maps", Wanted(**NOTHING))
    ids = read(tmp_path / "maps" / "a_classes.tif")[0]
    assert ids.shape == (120, 200)
    assert (ids[:, :100] == 0).all() and (ids[:, 100:] == 1).all()


class Failing(Brightness):
    """A model that fails at its third batch."""

    def __init__(self, failure: BaseException) -> None:
        super().__init__()
        self.failure, self.left = failure, 2

    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        if not self.left:
            raise self.failure
        self.left -= 1
        return super().probabilities(images)


@pytest.mark.slow
@pytest.mark.parametrize("failure", [ValueError("damaged"), KeyboardInterrupt(), SystemExit(143)])
def test_a_failure_leaves_the_earlier_maps_and_nothing_else(
    tmp_path: Path, failure: BaseException
) -> None:
    image, out = write_raster(tmp_path / "a.tif", halves(200, 300)), tmp_path / "maps"
    predict(BRIGHTNESS, image, out, ALL)
    before = {name: (out / name).read_bytes() for name in MADE}
    write_raster(tmp_path / "a.tif", halves(210, 300))
    with pytest.raises(type(failure)):
        predict(Predictor(Failing(failure), PLAIN, SMALL), image, out, ALL)
    assert {name: (out / name).read_bytes() for name in os.listdir(out)} == before


def test_statistics_of_an_earlier_map_go_with_it(tmp_path: Path) -> None:
    """As QGIS and gdalinfo -stats write them; they would stretch the new map by the old values."""
    image, out = write_raster(tmp_path / "a.tif", halves()), tmp_path / "maps"
    for _ in range(2):
        predict_by_brightness(image, out, entropy=True)
        assert sorted(os.listdir(out)) == [
            "a_classes.qml",
            "a_classes.tif",
            "a_classes.tif.aux.xml",
            "a_entropy.qml",
            "a_entropy.tif",
        ]
        (out / "a_entropy.tif.aux.xml").write_text("<PAMDataset/>")


def test_what_a_killed_prediction_left_is_removed_by_the_next(tmp_path: Path) -> None:
    image, out = write_raster(tmp_path / "a.tif", halves()), tmp_path / "maps"
    (out / ".a.tif.part" / ".a_classes.tif.part").mkdir(parents=True)
    predict_by_brightness(image, out)
    made = ["a_classes.qml", "a_classes.tif", "a_classes.tif.aux.xml"]
    assert sorted(os.listdir(out)) == made


def test_the_class_map_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that where there is one, everything that was asked for is there."""
    image, out = write_raster(tmp_path / "a.tif", halves()), tmp_path / "maps"
    moved: list[str] = []
    replace_as_it_is = os.replace

    def replace(source: Path, target: Path) -> None:
        if Path(target).parent == out:
            moved.append(Path(target).name)
        replace_as_it_is(source, target)

    monkeypatch.setattr(os, "replace", replace)
    predict(BRIGHTNESS, image, out, ALL)
    assert sorted(moved) == MADE
    assert moved[-1] == "a_classes.tif"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    made = checkpoint_of(
        trained_network(),
        imagery=Imagery(),
        ground_sampling_distances=[0.5],
        patch_size=48,
        source_size=48,
    )
    save_checkpoint(made, tmp_path / "best.pt")
    return tmp_path / "best.pt"


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["predict.py", *map(str, arguments)])
    main()


def test_the_command_says_what_it_does(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_raster(tmp_path / "a.tif", halves())
    write_raster(tmp_path / "b.png", halves(), crs=None)
    run_main(monkeypatch, checkpoint, "a.tif", "b.png", "--out", "maps", "--areas")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "a.tif: resampled to 50 x 30 px, for a network trained at 0.5 m",
        "b.png: no georeference, so the maps have none either",
        "b.png: taken for pixels of 0.5 m; say otherwise by --gsd",
    ]
    assert lines[3].startswith("a.tif: 0.0 Mpx in ")
    assert lines[3].endswith(": a_classes.tif, a_areas.csv, a_areas.json")
    assert len(lines) == 5


def test_the_command_gives_what_the_network_gives(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bands = np.random.default_rng(6).integers(0, 256, (3, 60, 80), np.uint8)
    write_raster(tmp_path / "a.tif", bands)
    options = ["--gsd", 0.5, "--precision", "float32", "--device", "cpu", "--tile", 96]
    run_main(monkeypatch, checkpoint, "a.tif", "--out", "maps", "--probabilities", *options)
    model = TorchModel(checkpoint_of(trained_network()), CPU)
    expected = model.probabilities(torch.from_numpy(bands)[None])[0]
    assert np.array_equal(read(tmp_path / "maps" / "a_classes.tif")[0], expected.argmax(dim=0))
    steps = read(tmp_path / "maps" / "a_probabilities.tif").astype(float)
    assert np.ptp(steps) > 25
    assert np.abs(steps - 250 * expected.numpy()).max() < 0.51  # rounded to whole steps


@pytest.mark.slow
def test_test_time_augmentation_changes_a_map(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bands = np.random.default_rng(6).integers(0, 256, (3, 60, 80), np.uint8)
    write_raster(tmp_path / "a.tif", bands)
    for tta in ("none", "flips", "all"):
        run_main(monkeypatch, checkpoint, "a.tif", "--out", tta, "--tta", tta, "--probabilities")
    maps = [read(tmp_path / tta / "a_probabilities.tif") for tta in ("none", "flips", "all")]
    assert not np.array_equal(maps[0], maps[1]) and not np.array_equal(maps[1], maps[2])


def test_images_with_all_their_maps_can_be_left_out(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("a", "b"):
        write_raster(tmp_path / f"{name}.tif", halves())
    run_main(monkeypatch, checkpoint, "a.tif", "--out", "maps")
    before = (tmp_path / "maps" / "a_classes.tif").stat().st_mtime_ns
    capsys.readouterr()
    run_main(monkeypatch, checkpoint, "a.tif", "b.tif", "--out", "maps", "--skip-existing")
    assert "1 of 2 images have their maps in maps" in capsys.readouterr().out
    assert (tmp_path / "maps" / "a_classes.tif").stat().st_mtime_ns == before
    assert (tmp_path / "maps" / "b_classes.tif").exists()
    run_main(monkeypatch, checkpoint, "a.tif", "--out", "maps", "--skip-existing", "--areas")
    assert (tmp_path / "maps" / "a_classes.tif").stat().st_mtime_ns > before


def test_old_maps_of_an_image_that_failed_are_made_again(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of an earlier network: the image has a map, but not one that was asked for."""
    for name in ("a", "b"):
        write_raster(tmp_path / f"{name}.tif", halves())
    run_main(monkeypatch, checkpoint, "a.tif", "b.tif", "--out", "maps")
    torch.manual_seed(5)
    network = build_network("unet", 3, 3, 2, False)
    save_checkpoint(checkpoint_of(network, ground_sampling_distances=[0.5]), tmp_path / "new.pt")
    good = (tmp_path / "a.tif").read_bytes()
    damaged(tmp_path / "a.tif")
    asked = ["new.pt", "a.tif", "b.tif", "--out", "maps"]
    assert "1 of 2 images have failed" in fails_with(monkeypatch, capsys, main, asked)
    (tmp_path / "a.tif").write_bytes(good)
    capsys.readouterr()
    again = [*asked, "--skip-existing"]
    run_main(monkeypatch, *again)
    said, *lines = capsys.readouterr().out.splitlines()
    assert said == (
        "1 of 2 images have their maps in maps; maps that are made again: 1 by another network"
    )
    assert any(line.endswith(": a_classes.tif") for line in lines)
    run_main(monkeypatch, *again)
    assert capsys.readouterr().out.splitlines() == ["2 of 2 images have their maps in maps"]
    run_main(monkeypatch, *again, "--tta", "flips")
    said = capsys.readouterr().out.splitlines()[0]
    assert said.endswith("; maps that are made again: 2 by other options")


def damaged(file: Path) -> Path:
    write_raster(file, np.random.default_rng(1).integers(0, 256, (3, 200, 200), np.uint8))
    file.write_bytes(file.read_bytes()[:60_000])
    return file


BAD: dict[str, tuple[Callable[[Path], object], list[str], str]] = {
    "grey": (lambda f: write_raster(f, halves()[:1]), [], "a.tif: has 1 band(s)"),
    "16-bit": (
        lambda f: write_raster(f, halves().astype(np.uint16)),
        [],
        "a.tif: uint16 and not 8-bit as in training; say which values are black and white",
    ),
    "truncated": (damaged, ["--gsd", "0.5"], "a.tif: cannot be read as a raster"),
    "text": (lambda f: f.write_text("no image"), [], "a.tif: cannot be read as a raster"),
    "wrong CRS": (
        lambda f: write_raster(f, halves(), crs="EPSG:4326"),
        [],
        "a.tif: the coordinates (500012, 599992) lie outside its CRS, WGS 84; give the pixel size",
    ),
    "other pixels": (
        lambda f: write_raster(f, halves()),
        ["--no-resample"],
        "a.tif: pixels of 0.25 x 0.25 m, and the network was trained on 0.5 m; it was not to be",
    ),
    "wrong CRS and areas": (
        lambda f: write_raster(f, halves(), crs="EPSG:4326"),
        ["--gsd", "0.5", "--areas"],
        "a.tif: the coordinates near (500012, 599992) lie outside its CRS, WGS 84; areas, polygons",
    ),
    "no area": (
        lambda f: write_raster(f, halves()),
        ["--polygons", "--min-area", "-1"],
        "min-area must be at",
    ),
    "tiny pixels": (
        lambda f: write_raster(f, halves()),
        ["--gsd", "1e-200"],
        "gsd 1e-200 m must be within 0.0001 and 100000",
    ),
    "endless pixels": (
        lambda f: write_raster(f, halves()),
        ["--gsd", "inf"],
        "gsd inf m must be within 0.0001 and 100000",
    ),
    "negative tile": (
        lambda f: write_raster(f, halves()),
        ["--tile", "-16"],
        "tile -16 px must be at least 16",
    ),
    "no tile": (
        lambda f: write_raster(f, halves()),
        ["--tile", "100"],
        "tile 100 and overlap 16 px",
    ),
    "no device": (lambda f: write_raster(f, halves()), ["--device", "gpu"], "device 'gpu': torch"),
    "no ONNX": (
        lambda f: write_raster(f, halves()),
        ["--onnx"],
        "best.pt: missing or damaged ONNX",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    case: str,
) -> None:
    write, options, message = BAD[case]
    write(tmp_path / "a.tif")
    error = fails_with(monkeypatch, capsys, main, ["best.pt", "a.tif", "--out", "maps", *options])
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1
    assert not (tmp_path / "maps").exists() or os.listdir(tmp_path / "maps") == []


def test_all_images_are_looked_at_before_the_first_is_predicted(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_raster(tmp_path / "a.tif", halves())
    write_raster(tmp_path / "b.tif", halves()[:1])
    monkeypatch.setattr(sys, "argv", ["predict.py", "best.pt", "a.tif", "b.tif", "--out", "maps"])
    with pytest.raises(SystemExit):
        run(main)
    printed = capsys.readouterr()
    lines = [line for line in printed.out.splitlines() if "Mpx" in line or "failed" in line]
    assert lines[0].startswith("b.tif: failed: b.tif: has 1 band(s)")
    assert lines[1].startswith("a.tif: 0.0 Mpx in")
    errors = [line for line in printed.err.splitlines() if "Mpx" not in line]
    assert errors[0].startswith("failed: b.tif: has 1 band(s)")
    assert errors[1].startswith("error: 1 of 2 images have failed, as listed above")
    assert (tmp_path / "maps" / "a_classes.tif").exists()


def test_maps_of_another_run_do_not_stay_beside_a_new_class_map(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_raster(tmp_path / "a.tif", halves())
    (tmp_path / "maps").mkdir()
    for other in ("b_areas.csv", "a_areas_of_mine.csv"):
        (tmp_path / "maps" / other).touch()
    options = ["--probabilities", "--polygons", "--areas", "--overlay", "--entropy"]
    run_main(monkeypatch, "best.pt", "a.tif", "--out", "maps", *options)
    (tmp_path / "maps" / "a_entropy.tif.aux.xml").touch()
    assert len(os.listdir(tmp_path / "maps")) > 8
    run_main(monkeypatch, "best.pt", "a.tif", "--out", "maps")
    assert {*os.listdir(tmp_path / "maps")} == {
        *("a_classes.tif", "a_classes.tif.aux.xml", "a_classes.qml"),
        *("b_areas.csv", "a_areas_of_mine.csv"),
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--min-area", "20"], "--min-area: is that of polygons; add --polygons"),
        (["--scheduler", ""], "--scheduler: is empty; leave it out to predict on this machine"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    arguments = ["predict.py", "best.pt", "a.tif", "--out", "maps", *options]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err.endswith(f"error: {message}\n")


def test_bands_named_blue_green_red_are_taken_as_named(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bands = np.random.default_rng(4).integers(0, 256, (3, 64, 64), np.uint8)
    write_geotiff(tmp_path / "rgb.tif", bands)
    write_geotiff(tmp_path / "bgr.tif", bands[::-1], names=["blue", "green", "red"])
    write_geotiff(tmp_path / "unnamed.tif", bands[::-1])
    images = ["rgb.tif", "bgr.tif", "unnamed.tif"]
    options = ["--out", "maps", "--gsd", "0.5", "--probabilities", "--overlay"]
    monkeypatch.setattr(sys, "argv", ["predict.py", "best.pt", *images, *options])
    main()
    maps = tmp_path / "maps"
    rgb, bgr, unnamed = (read(maps / f"{image[:-4]}_probabilities.tif") for image in images)
    assert np.array_equal(rgb, bgr)
    assert not np.array_equal(rgb, unnamed)
    assert (maps / "rgb_overlay.png").read_bytes() == (maps / "bgr_overlay.png").read_bytes()


INFRARED = {"names": ["nir", "red", "green"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trained", "of_image", "options", "message"),
    [
        (
            ("nir", "red", "green"),
            {},
            [],
            "bands 1, 2, 3 are red, green, blue, and the network was trained on nir, red, green",
        ),
        (("red", "green", "blue"), INFRARED, [], "bands 1, 2, 3 are nir, red, green, and the"),
        (("nir", "red", "green"), {}, ["--bands", "1", "2", "3"], ""),
        (("nir", "red", "green"), INFRARED, [], ""),
        (("red", "green", "blue"), {}, [], ""),
        (("nir", "red", "green"), {"photometric": "MINISBLACK"}, [], ""),
        (None, INFRARED, [], ""),
    ],
)
def test_a_network_of_infrared_refuses_what_is_red_and_so_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trained: tuple[str, str, str] | None,
    of_image: dict[str, Any],
    options: list[str],
    message: str,
) -> None:
    imagery = Imagery(names=trained)
    save_checkpoint(checkpoint_of(trained_network(), imagery=imagery), tmp_path / "best.pt")
    write_geotiff(tmp_path / "a.tif", halves(), **of_image)
    arguments = ["best.pt", "a.tif", "--out", "maps", "--gsd", "0.5", *options]
    if message:
        error = fails_with(monkeypatch, capsys, main, arguments)
        assert error.startswith(f"error: a.tif: its {message}")
        assert not (tmp_path / "maps").exists()
    else:
        monkeypatch.setattr(sys, "argv", ["predict.py", *arguments])
        main()
        assert (tmp_path / "maps" / "a_classes.tif").exists()


def test_an_image_that_fails_does_not_end_the_others(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    damaged(tmp_path / "a.tif")
    write_raster(tmp_path / "b.tif", halves())
    error = fails_with(monkeypatch, capsys, main, ["best.pt", "a.tif", "b.tif", "--out", "maps"])
    listed, last = error.splitlines()
    assert listed.startswith("failed: a.tif: cannot be read as a raster")
    assert last == (
        "error: 1 of 2 images have failed, as listed above; --skip-existing goes on with those "
        "that have no maps of this network and these options"
    )
    assert "b_classes.tif" in os.listdir("maps") and "a_classes.tif" not in os.listdir("maps")


def test_a_mosaic_has_all_class_maps(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_raster(tmp_path / "a.tif", halves())
    write_raster(tmp_path / "b.tif", halves(), x=500_025.0)
    run_main(monkeypatch, checkpoint, "a.tif", "--out", "maps")
    arguments = [checkpoint, "a.tif", "b.tif", "--out", "maps", "--mosaic", "--skip-existing"]
    run_main(monkeypatch, *arguments)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "maps/areas.csv, maps/classes.qml, maps/classes.vrt"
    ids = read(tmp_path / "maps" / "classes.vrt")
    assert ids.shape == (1, 60, 200)
    np.testing.assert_array_equal(ids[:, :, :100], read(tmp_path / "maps" / "a_classes.tif"))
    np.testing.assert_array_equal(ids[:, :, 100:], read(tmp_path / "maps" / "b_classes.tif"))
    run_main(monkeypatch, *arguments)  # of maps that are all there
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_a_mosaic_of_different_crs_is_refused_before_anything_is_predicted(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_raster(tmp_path / "a.tif", halves())
    write_raster(tmp_path / "b.tif", halves(), crs="EPSG:2177", x=6_500_000.0)
    arguments = ["best.pt", "a.tif", "b.tif", "--out", "maps", "--mosaic"]
    error = fails_with(monkeypatch, capsys, main, arguments)
    assert error.startswith("error: b.tif: EPSG:2177, but a.tif: EPSG:2180; a mosaic has one CRS")
    assert error.count("\n") == 1
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workers", "0"], "workers: must be at least 1, got 0"),
        (["--workers", "2", "--scheduler", "tcp://a:1"], "workers: are started on this machine"),
        (["--scheduler", "nonsense"], "scheduler nonsense: no address of one: missing port"),
        (["--workers", "1", "--device", "gpu"], "device 'gpu': torch"),
        (["--workers", "1", "--tile", "100"], "tile 100 and overlap 16 px"),
        (
            ["--workers", "1", "--runtime", "tensorrt"],
            "runtime: must be one of auto, torch, openvino, onnxruntime, got 'tensorrt'",
        ),
        (
            ["--scheduler", "tcp://a:1", "--device", "cuda"],
            "precision: auto is chosen on this machine, which has no cuda; say which",
        ),
    ],
)
def test_workers_that_cannot_be_are_refused_before_anything_is_started(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    write_raster(tmp_path / "a.tif", halves())
    error = fails_with(monkeypatch, capsys, main, ["best.pt", "a.tif", "--out", "maps", *options])
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize(
    "error_of_torch",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_an_exhausted_memory_is_one_line(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error_of_torch: RuntimeError,
) -> None:
    def fail(*_: object) -> None:
        raise error_of_torch

    monkeypatch.setattr(TorchModel, "probabilities", fail)
    write_raster(tmp_path / "a.tif", halves())
    arguments = ["best.pt", "a.tif", "--out", "maps", "--runtime", "torch"]
    error = fails_with(monkeypatch, capsys, main, arguments)
    assert error == "error: a.tif: out of memory: lower --batch-size or --tile\n"
    assert os.listdir(tmp_path / "maps") == []


def test_an_onnx_file_has_to_be_called_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_raster(tmp_path / "a.tif", halves())
    error = fails_with(monkeypatch, capsys, main, ["best.onnx", "a.tif", "--out", "maps"])
    assert error == "error: best.onnx: is an ONNX file; say so by --onnx\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_an_interrupted_prediction_leaves_no_map(
    checkpoint: Path, tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    bands = np.random.default_rng(1).integers(0, 256, (3, 3000, 3000), np.uint8)
    write_raster(tmp_path / "a.tif", bands)
    command = [sys.executable, SRC / "predict.py", checkpoint, "a.tif", "--out", "maps", "--areas"]
    process = subprocess.Popen([*command, "--gsd", "0.5"], cwd=tmp_path, stderr=subprocess.PIPE)
    while not list(tmp_path.glob("maps/.a.*/.a_classes.tif.part/raw")):
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(sent)
    assert process.wait(timeout=60) == status
    left = os.listdir(tmp_path / "maps")
    # A killed process cannot tidy up: what it leaves is hidden and looks like no map.
    assert [name for name in left if not name.startswith(".")] == []
    if sent != signal.SIGKILL:
        assert left == []


def test_a_stretch_is_given_once_or_for_each_band() -> None:
    assert stretch_of(None) is None
    assert stretch_of([[0.0, 4095.0]]) == (0.0, 4095.0)
    pairs = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert stretch_of(pairs) == ((1.0, 2.0), (3.0, 4.0), (5.0, 6.0))
    with pytest.raises(ValueError, match="is given once, or three times, not 2 times"):
        stretch_of(pairs[:2])
