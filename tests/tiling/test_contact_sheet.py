from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from partialseg.core.classes import NO_TRUTH
from partialseg.tiling.contact_sheet import colour_mask, draw_contact_sheet
from partialseg.tiling.patches import PatchStore


def test_ids_become_their_colours_and_no_truth_white() -> None:
    mask = np.array([[0, 1, NO_TRUTH]], np.uint8)
    colours = colour_mask(mask, ((1, 2, 3), (4, 5, 6)))
    assert colours.tolist() == [[[1, 2, 3], [4, 5, 6], [255, 255, 255]]]


def test_nine_patches_stand_in_two_rows(make_patches: Callable[..., Path], tmp_path: Path) -> None:
    store = PatchStore(make_patches())
    draw_contact_sheet(store, tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None and sheet.shape == (2 * 132 + 24, 6 * 260, 3)
    # The first mask begins right of the first image; OpenCV reads blue, green, red.
    first = store.truth(store.patches[0])[0, 0]
    assert tuple(sheet[4, 2 + 128 + 2][::-1]) == store.summary.palette[first]


def test_no_truth_is_chequered_and_a_legend_names_the_colours(
    make_patches: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_patches()
    masks = folder / "masks" / "a_train.npy"
    array = np.load(masks)
    array[0] = NO_TRUTH
    np.save(masks, array)
    store = PatchStore(folder)
    draw_contact_sheet(store, tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    first = sheet[2:130, 130:258]
    assert {tuple(pixel) for pixel in first.reshape(-1, 3)} == {(150,) * 3, (190,) * 3}
    legend = sheet[264:, :, ::-1].reshape(-1, 3)
    shown = {tuple(pixel) for pixel in legend}
    assert {*store.summary.palette, (150, 150, 150), (190, 190, 190), (0, 0, 0)} <= shown


def test_a_folder_that_cannot_be_written(make_patches: Callable[..., Path]) -> None:
    store = PatchStore(make_patches())
    with pytest.raises(OSError, match=r"none/sheet\.png: the contact sheet cannot be written"):
        draw_contact_sheet(store, Path("none/sheet.png"))
