"""What orthophotos declare of themselves, in their patches and in what a network knows of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geotiffs import CORNER, control_points, some_rpcs, write_geotiff
from partialseg.engine.checkpoint import load_checkpoint
from partialseg.source.index import write_index
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import Imagery, PatchStore
from partialseg.tiling.tile import tile
from rasters import LEGEND, draw_orthophoto
from small_run import small_run

PLACE: dict[str, Any] = {"crs": "EPSG:2180", "transform": CORNER}
CORNERS = ((0, 0), (0, 96), (32, 0), (32, 96))


def cut(
    folder: Path,
    of_image: dict[str, Any],
    source_size: int = 32,
    others: dict[str, Any] | None = None,
) -> Path:
    """Write a source of which the first orthophoto, for training, has these properties."""
    rng = np.random.default_rng(5)
    for name in ("a_train", "b_val", "c_test"):
        image, ids = draw_orthophoto(rng, source_size, 3 * source_size)
        options = of_image if name == "a_train" else PLACE | (others or {})
        if options.get("kinds") == ["blue", "green", "red"]:
            image = image[::-1]
        write_geotiff(folder / "images" / f"{name}.tif", image, **options)
        write_geotiff(folder / "masks" / f"{name}.tif", ids)
    write_index(folder, folder / "images", folder / "masks", LEGEND)
    params = Tile(
        source_size=source_size,
        size=32,
        split="pattern",
        split_seed=1,
        val="*_val",
        test="*_test",
        train_truth="masks",
    )
    tile(folder, folder / "patches", params)
    return folder / "patches"


def test_patches_are_red_green_blue_whatever_the_order_in_the_file(tmp_path: Path) -> None:
    rgb = PatchStore(cut(tmp_path / "rgb", {**PLACE, "kinds": ["red", "green", "blue"]}))
    bgr = PatchStore(cut(tmp_path / "bgr", {**PLACE, "kinds": ["blue", "green", "red"]}))
    for one, other in zip(rgb.patches, bgr.patches, strict=True):
        assert np.array_equal(rgb.image(one), bgr.image(other))
        assert np.array_equal(rgb.truth(one), bgr.truth(other))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("of_image", "expected"),
    [
        ({"kinds": ["red", "green", "blue"]}, ("red", "green", "blue")),
        ({"kinds": ["blue", "green", "red"]}, ("red", "green", "blue")),
        ({"names": ["NIR", "Red", "G"]}, ("nir", "red", "green")),
        ({"names": ["near infrared", "r", "g"], "kinds": ["red"] * 3}, ("nir", "red", "green")),
        ({"names": ["first", "Red", "Green"], "photometric": "MINISBLACK"}, None),
    ],
)
def test_a_checkpoint_knows_what_its_bands_are(
    tmp_path: Path, of_image: dict[str, Any], expected: tuple[str, str, str] | None
) -> None:
    patches = cut(tmp_path, PLACE | of_image, others={"photometric": "MINISBLACK"})
    assert PatchStore(patches).summary.imagery == Imagery(names=expected)
    stored = small_run(patches, tmp_path / "run", epochs=1)
    assert load_checkpoint(tmp_path / "run" / "best.pt").imagery == stored.imagery
    assert stored.imagery.names == expected


def test_images_of_different_bands_are_refused(tmp_path: Path) -> None:
    message = r"b_val\.tif: its bands are red, green, blue, and those of .*a_train\.tif are nir"
    with pytest.raises(ValueError, match=message):
        cut(tmp_path, PLACE | {"names": ["nir", "red", "green"]})
    assert not (tmp_path / "patches").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("of_image", "expected"),
    [
        (PLACE, [0.25]),
        ({"points": (control_points(CORNERS), "EPSG:2180")}, [0.25]),
        ({"crs": "EPSG:2180"}, []),
        ({"crs": "EPSG:2180", "transform": CORNER * CORNER.scale(1, -1)}, [0.25]),
        ({"transform": CORNER}, []),
        ({"rpcs": some_rpcs()}, []),
        ({"points": (control_points(CORNERS[:2]), "EPSG:2180")}, []),
        ({}, []),
    ],
)
def test_a_checkpoint_stores_the_pixel_size_that_is_known(
    tmp_path: Path, of_image: dict[str, Any], expected: list[float]
) -> None:
    """At 5.0 km east of the meridian of EPSG:2180 a metre is 1 / 0.9993 m on the ground."""
    stored = small_run(cut(tmp_path, of_image), tmp_path / "run", epochs=1)
    on_ground = [size / 0.9993 for size in expected]
    assert stored.ground_sampling_distances == pytest.approx(on_ground, rel=1e-5)


def test_resampled_patches_are_coarser(tmp_path: Path) -> None:
    stored = small_run(cut(tmp_path, PLACE, source_size=64), tmp_path / "run", epochs=1)
    assert stored.ground_sampling_distances == pytest.approx([0.5 / 0.9993], rel=1e-5)
