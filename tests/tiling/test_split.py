from pathlib import Path

import pytest

from partialseg.tiling.split import by_pattern, by_share, official

NAMES = [f"cell_{number}" for number in range(10)]


def write_lists(folder: Path, train: str, val: str, test: str) -> Path:
    for name, text in (("train", train), ("val", val), ("test", test)):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def test_official_lists_decide_and_the_unlisted_stay_out(tmp_path: Path) -> None:
    lists = write_lists(tmp_path, "cell_0\ncell_3\n", "cell_1\n", "cell_2")
    assert official(lists, NAMES) == {
        "cell_0": "train",
        "cell_3": "train",
        "cell_1": "val",
        "cell_2": "test",
    }


def test_official_lists_with_errors_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"train\.txt: missing; the split 'official' needs"):
        official(tmp_path, NAMES)
    write_lists(tmp_path, "cell_0", "cell_77", "cell_2")
    with pytest.raises(ValueError, match=r"val\.txt: no full cell is named 'cell_77'"):
        official(tmp_path, NAMES)
    write_lists(tmp_path, "cell_0", "cell_1", "cell_0")
    with pytest.raises(ValueError, match=r"test\.txt: 'cell_0' is listed twice \(also for train\)"):
        official(tmp_path, NAMES)


def test_official_lists_may_have_spaces_in_names_and_empty_lines(tmp_path: Path) -> None:
    write_lists(tmp_path, "my a_0\r\n\n", "my a_1", "my a_2 \n")
    names = [f"my a_{number}" for number in range(3)]
    assert official(tmp_path, names) == dict(zip(names, ("train", "val", "test"), strict=True))


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


def test_patterns() -> None:
    names = ["Tile_1_a", "Tile_4_a", "Tile_6_a", "tile_6_b"]
    assert by_pattern(names, "Tile_6_*", "Tile_4_*") == {
        "Tile_1_a": "train",
        "Tile_4_a": "test",
        "Tile_6_a": "val",
        "tile_6_b": "train",
    }
    with pytest.raises(ValueError, match=r"'Tile_6_a' matches both val 'Tile_\*' and test '\*a'"):
        by_pattern(["Tile_6_a"], "Tile_*", "*a")
