from pathlib import Path

import pytest

from partialseg.tiling.split import SPLITS, by_group, by_pattern, by_share, named_groups, official

NAMES = [f"cell_{number}" for number in range(10)]
CELLS = {"cell": NAMES}


def write_lists(folder: Path, train: str, val: str, test: str) -> Path:
    for name, text in (("train", train), ("val", val), ("test", test)):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def test_official_lists_decide_and_the_unlisted_stay_out(tmp_path: Path) -> None:
    lists = write_lists(tmp_path, "cell_0\ncell_3\n", "cell_1\n", "cell_2")
    assert official(lists, CELLS, SPLITS) == {
        "cell_0": "train",
        "cell_3": "train",
        "cell_1": "val",
        "cell_2": "test",
    }


def test_official_lists_with_errors_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"train\.txt: missing; the split 'official' needs"):
        official(tmp_path, CELLS, SPLITS)
    write_lists(tmp_path, "cell_0", "cell_77", "cell_2")
    with pytest.raises(ValueError, match=r"val\.txt: no full cell is named 'cell_77'"):
        official(tmp_path, CELLS, SPLITS)
    write_lists(tmp_path, "cell_0", "cell_1", "cell_0")
    with pytest.raises(ValueError, match=r"test\.txt: 'cell_0' is listed twice \(also for train\)"):
        official(tmp_path, CELLS, SPLITS)


def test_official_lists_may_have_spaces_in_names_and_empty_lines(tmp_path: Path) -> None:
    write_lists(tmp_path, "my a_0\r\n\n", "my a_1", "my a_2 \n")
    names = [f"my a_{number}" for number in range(3)]
    assert official(tmp_path, {"my a": names}, SPLITS) == dict(
        zip(names, ("train", "val", "test"), strict=True)
    )


def test_shares_are_exact_and_seeded() -> None:
    assigned = by_share(NAMES, 1, 0.2, 0.3)
    counts = {name: list(assigned.values()).count(name) for name in ("train", "val", "test")}
    assert counts == {"train": 5, "val": 2, "test": 3}
    assert list(assigned) == NAMES
    assert by_share(NAMES[::-1], 1, 0.2, 0.3) == assigned
    assert by_share(NAMES, 2, 0.2, 0.3) != assigned


def test_the_draw_is_the_same_on_any_machine() -> None:
    assigned = by_share(NAMES, 42, 0.1, 0.1)
    assert [name for name in NAMES if assigned[name] != "train"] == GOLDEN


GOLDEN = ["cell_3", "cell_9"]  # the two smallest SHA-256 of "42/<name>"


def test_a_small_share_is_at_least_one() -> None:
    assert sorted(by_share(["a", "b", "c"], 1, 0.1, 0.1).values()) == ["test", "train", "val"]
    assert sorted(by_share(["a", "b"], 1, 0.1, 0.0).values()) == ["train", "val"]


def test_nothing_left_for_training() -> None:
    with pytest.raises(ValueError, match=r"of 2 items 1 go to val and 1 to test .*none is left"):
        by_share(["a", "b"], 1, 0.2, 0.2)


def test_official_lists_may_name_orthophotos_for_all_their_cells(tmp_path: Path) -> None:
    cells = {"a": ["a_0", "a_1"], "b": ["b_0"], "c": ["c_0"]}
    write_lists(tmp_path, "images/a.tif", "b", "c_0")
    assert official(tmp_path, cells, SPLITS) == {
        "a_0": "train",
        "a_1": "train",
        "b_0": "val",
        "c_0": "test",
    }
    write_lists(tmp_path, "a", "a_1", "c_0")
    with pytest.raises(ValueError, match=r"val\.txt: 'a_1' is listed twice \(also for train\)"):
        official(tmp_path, cells, SPLITS)


def test_a_list_for_a_split_that_is_not_wanted_may_be_missing(tmp_path: Path) -> None:
    write_lists(tmp_path, "cell_0", "cell_1", "")
    (tmp_path / "test.txt").unlink()
    assert official(tmp_path, CELLS, ("train", "val")) == {"cell_0": "train", "cell_1": "val"}


def test_a_group_is_drawn_as_a_whole() -> None:
    names = [f"Tile_{tile}_part_{part}" for tile in range(5) for part in range(3)]
    assigned = by_group(named_groups(names, r"Tile_\d"), 1, 0.2, 0.4)
    of_tiles = by_share([f"Tile_{tile}" for tile in range(5)], 1, 0.2, 0.4)
    assert sorted(of_tiles.values()) == ["test", "test", "train", "train", "val"]
    assert assigned == {name: of_tiles[name[:6]] for name in names}
    # A name without a group is one of its own.
    alone = named_groups(["a", "b", "c"], "x")
    assert by_group(alone, 1, 0.1, 0.1) == by_share(["a", "b", "c"], 1, 0.1, 0.1)


def test_patterns() -> None:
    names = ["Tile_1_a", "Tile_4_a", "Tile_6_a", "Tile_7_a", "tile_6_b"]
    patterns = {"val": ["Tile_6_*", "Tile_7_*"], "test": ["Tile_4_*"]}
    assert by_pattern(names, patterns) == {
        "Tile_4_a": "test",
        "Tile_6_a": "val",
        "Tile_7_a": "val",
    }
    message = r"'Tile_6_a' matches both val 'x', 'Tile_\*' and test '\*a'"
    with pytest.raises(ValueError, match=message):
        by_pattern(["Tile_6_a"], {"val": ["x", "Tile_*"], "test": ["*a"]})
