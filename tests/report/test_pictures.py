"""Pictures of the report: what a browser decodes from them; and the patches that they show."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from made_up_results import PALETTE, make_results, make_runs, make_store
from partialseg.core.classes import NO_TRUTH, Colour
from partialseg.figures.panel import WRONG
from partialseg.report.examples import css_colour, example_pictures, examples, map_uri, photo_uri


def decoded(uri: str) -> tuple[str, NDArray[np.int64]]:
    """Return the format of a data URI's picture, and its colours (H, W, 3)."""
    kind, content = re.fullmatch(r"data:image/(\w+);base64,([\w+/=]+)", uri).groups()  # type: ignore[union-attr]
    with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
        assert picture.format is not None and picture.format.lower() == kind
        return kind, np.asarray(picture.convert("RGB")).astype(np.int64)


@pytest.mark.parametrize("classes", [2, 3, 5, 16, 200])
def test_maps_keep_the_colours_exactly(classes: int) -> None:
    palette: list[Colour] = [(place, 255 - place, 7 * place % 256) for place in range(classes)]
    ids = np.random.default_rng(1).integers(0, classes, (40, 30)).astype(np.uint8)
    ids[:5] = NO_TRUTH
    kind, colours = decoded(map_uri(ids, palette))
    assert kind == "png"
    assert (colours[:5] == 255).all()
    np.testing.assert_array_equal(colours[5:], np.array(palette)[ids[5:]])


def test_a_large_map_shrinks_to_colours_of_the_palette() -> None:
    ids = np.zeros((384, 384), np.uint8)
    ids[:, 192:] = 3
    _, colours = decoded(map_uri(ids, PALETTE, side=96))
    assert colours.shape == (96, 96, 3)
    np.testing.assert_array_equal(
        np.unique(colours.reshape(-1, 3), axis=0), sorted([PALETTE[0], PALETTE[3]])
    )
    assert (colours[:, :48] == PALETTE[0]).all() and (colours[:, 48:] == PALETTE[3]).all()


def test_photographs_are_near_the_truth_and_small() -> None:
    rows, columns = np.mgrid[0:384, 0:384]
    image = np.stack([rows * 255 // 383, columns * 255 // 383, np.full_like(rows, 90)], axis=2)
    uri = photo_uri(image.astype(np.uint8))
    kind, colours = decoded(uri)
    assert kind == "webp"
    assert colours.shape == (256, 256, 3)
    expected = image.reshape(128, 3, 128, 3, 3).mean((1, 3))
    found = colours.reshape(128, 2, 128, 2, 3).mean((1, 3))
    assert np.abs(found - expected).mean() < 4
    assert len(uri) < 10_000


def test_errors_are_where_prediction_and_truth_differ() -> None:
    truth = np.zeros((64, 64), np.uint8)
    truth[:, 48:] = NO_TRUTH
    prediction = np.zeros((64, 64), np.uint8)
    prediction[:32] = 1
    image = np.full((64, 64, 3), 128, np.uint8)
    pictures = example_pictures(image, truth, prediction, PALETTE)
    _, colours = decoded(pictures.errors)
    assert np.abs(colours[8:24, 8:40] - WRONG).max() < 12
    right = colours[40:56, 8:40]
    assert np.ptp(right, axis=2).mean() < 4 and 180 < right.mean() < 215  # a faded grey
    assert colours[8:56, 56:].min() > 245
    np.testing.assert_array_equal(decoded(pictures.prediction)[1][0, 0], PALETTE[1])
    np.testing.assert_array_equal(decoded(pictures.truth)[1][0, 0], PALETTE[0])


def test_colours_are_spelt_as_css_has_them() -> None:
    assert css_colour((204, 0, 34)) == "#cc0022"


def test_examples_are_those_that_the_details_name(tmp_path: Path) -> None:
    store = make_store(tmp_path, side=24)
    (result,) = make_results(make_runs(seeds=(42,))[:1], store)
    found = examples(store, result.detail, result.predictions)
    assert [(item.class_name, item.rank) for item in found] == [
        (name, rank)
        for name in ("background", "building", "woodland", "road")
        for rank in ("best", "worst")
    ]
    first = found[0]
    assert (first.patch, first.iou) == ("N-33-60-D-c-4-4_3", 0.9)
    patch = next(patch for patch in store.patches if patch.name == first.patch)
    truth = store.truth(patch)
    _, colours = decoded(first.pictures.truth)
    known = truth != NO_TRUTH
    np.testing.assert_array_equal(colours[known], np.array(PALETTE)[truth[known]])
    _, colours = decoded(first.pictures.prediction)
    np.testing.assert_array_equal(colours, np.array(PALETTE)[result.predictions[first.patch]])


def test_examples_that_are_not_there_are_told(tmp_path: Path) -> None:
    store = make_store(tmp_path, side=24)
    (result,) = make_results(make_runs(seeds=(42,))[:1], store)
    with pytest.raises(ValueError, match=r"'N-33-60-D-c-4-4_3': no prediction of \(24, 24\) px"):
        examples(store, result.detail, {})
    cut = {name: ids[:12] for name, ids in result.predictions.items()}
    with pytest.raises(ValueError, match=r"no prediction of \(24, 24\) px"):
        examples(store, result.detail, cut)
    road = {"best": [{"patch": "x_1", "iou": 0.5}], "worst": []}
    other = {"test": {}, "test_examples": {"road": road}}
    with pytest.raises(ValueError, match="no test patch is named 'x_1'"):
        examples(store, other, result.predictions)
    none = {"test": {}, "test_examples": {"water": {"best": [], "worst": []}}}
    assert examples(store, none, {}) == []
