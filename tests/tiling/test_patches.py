import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from partialseg.core.classes import NO_TRUTH
from partialseg.tiling.patches import (
    Imagery,
    Patch,
    PatchStore,
    Summary,
    create_arrays,
    open_writer,
    write_manifest,
)

SUMMARY = Summary(
    size=4,
    source_size=8,
    class_names=("field", "house"),
    palette=((1, 2, 3),) * 2,
    imagery=Imagery(),
)


def patch(orthophoto: str, index: int, split: str) -> Patch:
    return Patch(
        name=f"{orthophoto}_{index}",
        orthophoto=orthophoto,
        index=index,
        row=0,
        column=index,
        split=split,
        crs="EPSG:2180",
        transform=(1 / 3, 0.0, 5e5 + 0.125, 0.0, -1 / 3, 6e5),
        gsd=None if index else 1 / 3,
        counts=(10, 4),
        no_truth=2,
    )


PATCHES = [patch("a", 0, "train"), patch("a", 1, "val"), patch("b, c", 0, "train")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    for name, count in (("a", 2), ("b, c", 1)):
        create_arrays(tmp_path, name, count, 4)
        with open_writer(tmp_path, name) as writer:
            for _ in range(count):
                writer.append(
                    rng.integers(0, 255, (4, 4, 3), np.uint8),
                    rng.choice(np.array([0, 1, NO_TRUTH], np.uint8), (4, 4)),
                )
    write_manifest(tmp_path, SUMMARY, PATCHES)
    return tmp_path


def test_the_manifest_returns_as_it_was(folder: Path) -> None:
    store = PatchStore(folder)
    assert store.summary == SUMMARY
    assert store.patches == PATCHES
    assert store.of_split("train") == [PATCHES[0], PATCHES[2]]
    assert store.of_split("test") == []


def test_the_manifest_is_a_plain_table(folder: Path) -> None:
    lines = (folder / "manifest.csv").read_text().splitlines()
    assert lines[0] == (
        "name,orthophoto,index,row,column,split,crs,transform,gsd,"
        "pixels:field,pixels:house,pixels without truth"
    )
    assert lines[1] == (
        "a_0,a,0,0,0,train,EPSG:2180,"
        "0.3333333333333333 0.0 500000.125 0.0 -0.3333333333333333 600000.0,"
        "0.3333333333333333,10,4,2"
    )


def test_arrays_are_memory_mapped_and_in_order(folder: Path) -> None:
    store = PatchStore(folder)
    rng = np.random.default_rng(3)
    for item in PATCHES:
        expected = rng.integers(0, 255, (4, 4, 3), np.uint8)
        truth = rng.choice(np.array([0, 1, NO_TRUTH], np.uint8), (4, 4))
        np.testing.assert_array_equal(store.image(item), expected)
        np.testing.assert_array_equal(store.truth(item), truth)
        assert not store.image(item).flags.writeable


def test_a_pickled_store_opens_its_files_anew(folder: Path) -> None:
    store = PatchStore(folder)
    image = store.image(PATCHES[0])
    pickled = pickle.dumps(store)
    assert b"numpy" not in pickled  # no copy of a memory map on its way to a worker
    np.testing.assert_array_equal(pickle.loads(pickled).image(PATCHES[0]), image)


def test_damage_is_named(folder: Path) -> None:
    file = folder / "images" / "a.npy"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"images/a\.npy: damaged or missing patch file"):
        PatchStore(folder)
    file.unlink()
    with pytest.raises(ValueError, match=r"images/a\.npy: damaged or missing .*No such file"):
        PatchStore(folder)
    np.save(folder / "images" / "a.npy", np.zeros((2, 5, 5, 3), np.uint8))
    with pytest.raises(ValueError, match=r"expected uint8 \(2, 4, 4, 3\), got uint8 \(2, 5, 5, 3"):
        PatchStore(folder)
    (folder / "manifest.csv").write_text("name\nx\n")
    with pytest.raises(ValueError, match=r"no usable patch store: 'orthophoto'"):
        PatchStore(folder)
    with pytest.raises(ValueError, match=r"none: no usable patch store: .*No such file"):
        PatchStore(folder / "none")


def test_a_store_of_the_tile_stage(make_patches: Callable[..., Path]) -> None:
    store = PatchStore(make_patches())
    counts = {name: len(store.of_split(name)) for name in ("train", "val", "test")}
    assert counts == {"train": 3, "val": 3, "test": 3}


def test_a_mask_with_an_id_that_is_no_class_is_named(make_patches: Callable[..., Path]) -> None:
    folder = make_patches()
    PatchStore(folder).check_truth()
    file = folder / "masks" / "b_val.npy"
    content = bytearray(file.read_bytes())
    content[-1] = 255  # no truth
    file.write_bytes(content)
    PatchStore(folder).check_truth()
    content[-1] = 3
    file.write_bytes(content)
    with pytest.raises(
        ValueError,
        match=r"masks/b_val\.npy: damaged: patch 2 holds the class id 3, allowed are 0\.\.2 and",
    ):
        PatchStore(folder).check_truth()
