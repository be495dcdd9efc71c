import json
from pathlib import Path

import numpy as np
import pytest

from partialseg.labelling.labels import LabelOrigin, LabelStore, PatchLabels, write_labels

RNG = np.random.default_rng(2)
VISIBLE = {name: RNG.random((5, 5)) < 0.4 for name in ("a", "b")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    labels = [
        PatchLabels(
            name=name,
            bits=np.packbits(visible),
            visible=int(visible.sum()),
            counts=(3, place),
            clicks=4 + place,
            seconds=2.5,
            short=(0, 2 * place),
        )
        for place, (name, visible) in enumerate(VISIBLE.items())
    ]
    origin = LabelOrigin(pattern="points", fraction=0.4, seed=42)
    write_labels(tmp_path, labels, ["field", "house"], 5, origin)
    return tmp_path


def test_the_pixels_return_as_they_were(folder: Path) -> None:
    store = LabelStore(folder, ["a", "b"])
    for place, visible in enumerate(VISIBLE.values()):
        np.testing.assert_array_equal(store.visible(place), visible)
        assert store.visible(place).dtype == np.bool_
    assert np.load(folder / "visible.npy").shape == (2, 4)  # 25 bits in 4 bytes


def test_the_budget_is_told(folder: Path) -> None:
    total = int(sum(visible.sum() for visible in VISIBLE.values()))
    assert json.loads((folder / "labels.json").read_text()) == {
        "pattern": "points",
        "fraction": 0.4,
        "seed": 42,
        "size": 5,
        "patches": 2,
        "visible": total,
        "counts": {"field": 6, "house": 1},
        "clicks": 9,
        "seconds": 5.0,
        "short": {"house": 2},
    }
    assert (folder / "labels.csv").read_text().splitlines()[:2] == [
        "name,visible,clicks,seconds,pixels:field,pixels:house",
        f"a,{VISIBLE['a'].sum()},4,2.5,3,0",
    ]


def test_labels_of_other_patches_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="these labels belong to other patches"):
        LabelStore(folder, ["b", "a"])


def test_damage_is_named(folder: Path) -> None:
    np.save(folder / "visible.npy", np.zeros((2, 3), np.uint8))
    with pytest.raises(ValueError, match=r"visible\.npy: damaged: shape \(2, 3\)"):
        LabelStore(folder, ["a", "b"])
    (folder / "visible.npy").write_bytes(b"")
    with pytest.raises(ValueError, match="no usable labels"):
        LabelStore(folder, ["a", "b"])
    with pytest.raises(ValueError, match=r"none: no usable labels: .*No such file"):
        LabelStore(folder / "none", [])
