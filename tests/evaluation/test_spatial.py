import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from partialseg.core.classes import NO_TRUTH
from partialseg.core.params import load_section
from partialseg.evaluation.params import Spatial
from partialseg.evaluation.spatial import orthophoto_scores, spatial_scores
from partialseg.tiling.patches import PatchStore
from truth_store import CLASSES, confusions_of, random_ids, write_truth

SIZE = 32
SETTINGS: dict[str, Any] = {
    "boundary_ratio": 0.02,
    "tolerances_px": [1.0, 3.0],
    "tolerances_m": [1.0, 2.0],
    "objects": "house",
    "object_areas": [5.0, 20.0],
}


def params(**changes: Any) -> Spatial:
    values = {**SETTINGS, **changes}
    return Spatial(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})


def cut(ids: NDArray[np.uint8]) -> dict[tuple[int, int], NDArray[np.uint8]]:
    """Return the patches of an orthophoto, row by row."""
    rows, columns = (side // SIZE for side in ids.shape)
    return {
        (row, column): ids[row * SIZE : (row + 1) * SIZE, column * SIZE : (column + 1) * SIZE]
        for row in range(rows)
        for column in range(columns)
    }


def stored(
    folder: Path,
    maps: Mapping[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]],
    gsd: Mapping[str, float | None] | None = None,
) -> tuple[PatchStore, NDArray[np.uint8]]:
    """Store truths of orthophotos in patches; return the predictions of these beside them."""
    store = write_truth(folder, {name: cut(truth) for name, (truth, _) in maps.items()}, gsd=gsd)
    return store, np.stack([patch for _, ids in maps.values() for patch in cut(ids).values()])


def scores_of(
    folder: Path,
    maps: Mapping[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]],
    gsd: Mapping[str, float | None] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    store, predictions = stored(folder, maps, gsd)
    return {
        "orthophotos": orthophoto_scores(store.patches, confusions_of(store, predictions)),
        **spatial_scores(store, store.patches, predictions, params(**changes)),
    }


def one_house() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A house of 8 x 8 px over the corner where four patches meet, predicted 1 px to the right."""
    truth, prediction = np.zeros((2, 2 * SIZE, 2 * SIZE), np.uint8)
    truth[28:36, 28:36] = prediction[28:36, 29:37] = 1
    return truth, prediction


def test_a_house_across_patches_is_scored_as_one(tmp_path: Path) -> None:
    scores = scores_of(tmp_path, {"a": one_house()})
    assert list(scores)[1:] == ["boundary", "objects", "border_distance"]
    assert scores["objects"] == {
        "class": "house",
        "overlap": 0.5,
        "unit": "m2",
        "cut": 0,
        "areas": [
            {"from": 0.0, "to": 5.0, "objects": 0, "found": 0, "recall": None},
            {"from": 5.0, "to": 20.0, "objects": 1, "found": 1, "recall": 1.0},  # 16 m2
            {"from": 20.0, "to": None, "objects": 0, "found": 0, "recall": None},
        ],
    }
    # A ring of 28 px: only the upper and lower sides meet, in 7 px each.
    assert scores["boundary"]["iou"]["distance_px"] == 1
    assert scores["boundary"]["iou"]["classes"]["house"] == pytest.approx(14 / (2 * 28 - 14))
    assert [
        (row["tolerance"], row["unit"], row["classes"]["house"]) for row in scores["boundary"]["f1"]
    ] == [(1.0, "px", 1.0), (3.0, "px", 1.0), (1.0, "m", 1.0), (2.0, "m", 1.0)]
    # Contour pixels: 28 of the house, 32 around it; wrong are a column of 8 at either side.
    assert scores["border_distance"][0] == {
        "from_px": 0,
        "to_px": 1,
        "pixels": 60,
        "accuracy": pytest.approx(44 / 60),
    }
    pixels = 4 * SIZE**2
    assert scores["orthophotos"] == {
        "a": {
            "patches": 4,
            "miou": pytest.approx((56 / 72 + (pixels - 72) / (pixels - 56)) / 2),
            "accuracy": pytest.approx(1 - 16 / pixels),
            "confusion": [[pixels - 72, 8, 0], [8, 56, 0], [0, 0, 0]],
        }
    }


def test_the_order_of_the_patches_changes_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    maps = {name: (random_ids(rng, 64, 96, unknown=0.01), random_ids(rng, 64, 96)) for name in "ab"}
    store, predictions = stored(tmp_path, maps)
    order = rng.permutation(len(predictions))
    patches = [store.patches[index] for index in order]
    mixed = spatial_scores(store, patches, predictions[order], params())
    assert mixed == spatial_scores(store, store.patches, predictions, params())


def test_orthophotos_are_scored_one_by_one(tmp_path: Path) -> None:
    zeros = np.zeros((SIZE, SIZE), np.uint8)
    unknown = np.full_like(zeros, NO_TRUTH)
    maps = {"good": (zeros, zeros), "bad": (zeros, zeros + 2), "unknown": (unknown, zeros)}
    orthophotos = scores_of(tmp_path, maps)["orthophotos"]
    assert [(name, *list(row.values())[:3]) for name, row in orthophotos.items()] == [
        ("good", 1, 1.0, 1.0),
        ("bad", 1, 0.0, 0.0),
        ("unknown", 1, None, None),
    ]
    assert orthophotos["bad"]["confusion"] == [[0, 0, SIZE**2], [0, 0, 0], [0, 0, 0]]


def test_one_unknown_pixel_size_takes_the_metres_from_all(tmp_path: Path) -> None:
    scores = scores_of(tmp_path, {"a": one_house(), "b": one_house()}, gsd={"b": None})
    assert [(row["tolerance"], row["unit"]) for row in scores["boundary"]["f1"]] == [
        (1.0, "px"),
        (3.0, "px"),
    ]
    assert scores["objects"]["unit"] == "px"
    assert [row["objects"] for row in scores["objects"]["areas"]] == [0, 0, 2]  # 64 px


def test_pixel_sizes_are_those_of_the_orthophotos(tmp_path: Path) -> None:
    scores = scores_of(tmp_path, {"a": one_house(), "b": one_house()}, gsd={"b": 0.25})
    assert [row["objects"] for row in scores["objects"]["areas"]] == [1, 1, 0]  # 4 and 16 m2


def test_without_a_class_no_objects_are_counted(tmp_path: Path) -> None:
    assert scores_of(tmp_path, {"a": one_house()}, objects="")["objects"] is None


def test_the_details_can_be_written_as_json(tmp_path: Path) -> None:
    unknown = np.full((SIZE, SIZE), NO_TRUTH, np.uint8)
    for maps in ({"a": one_house()}, {"a": (unknown, unknown)}):
        scores = scores_of(tmp_path, maps)
        assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_an_unknown_class_of_objects_is_refused() -> None:
    rule = r"objects: should be one of the classes field, house, lake, or '' for none, got 'barn'"
    with pytest.raises(ValueError, match=rule):
        params(objects="barn").object_class(CLASSES)
    assert params().object_class(CLASSES) == 1
    assert params(objects="").object_class(CLASSES) is None


def test_settings_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump({"spatial": SETTINGS}), encoding="utf-8")
    assert load_section(file, "spatial", Spatial) == params()


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"object_areas": [5.0, 5.0]}, r"spatial\.object_areas: should be strictly ascending"),
        ({"tolerances_m": [2.0, 1.0]}, r"spatial\.tolerances_m: should be strictly ascending"),
        ({"tolerances_px": [0.0, 1.0]}, r"spatial\.tolerances_px\.0: .*greater than 0, got 0\.0"),
        ({"boundary_ratio": 0.0}, r"spatial\.boundary_ratio: .*greater than 0, got 0\.0"),
        ({"boundary_ratio": "0.02"}, r"spatial\.boundary_ratio: .*number, got '0\.02'"),
        ({"object": "house"}, r"spatial\.object: is unknown"),
    ],
)
def test_wrong_settings_are_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], rule: str
) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump({"spatial": SETTINGS | changes}), encoding="utf-8")
    with pytest.raises(ValueError, match=rule):
        load_section(file, "spatial", Spatial)
