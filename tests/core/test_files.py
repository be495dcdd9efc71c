from pathlib import Path
from typing import Any

import pytest

from partialseg.core.files import new_file, new_folder


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with new_folder(tmp_path / "out") as folder:
        (folder / "new").touch()
        assert (tmp_path / "out" / "old").exists()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with pytest.raises(ValueError, match="stop"), new_folder(tmp_path / "out") as folder:
        (folder / "new").touch()
        raise ValueError("stop")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_leftovers_of_a_killed_run_are_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "half").touch()
    with new_folder(tmp_path / "out") as folder:
        assert list(folder.iterdir()) == []
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_appears_whole_with_its_suffix_on_the_way(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.json"
    with new_file(target) as part:
        assert part.suffix == ".json" and part.parent == target.parent
        part.write_text("1")
        assert not target.exists()
    assert target.read_text() == "1"
    with pytest.raises(OSError, match="full"), new_file(target) as part:
        part.write_text("2")
        raise OSError("full")
    assert target.read_text() == "1"
    assert [path.name for path in target.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize("new", [new_file, new_folder])
def test_a_full_disk_is_told_with_the_name(tmp_path: Path, new: Any) -> None:
    """The error of write() has no name; /dev/full is a disk without room."""
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*/target'"),
        new(tmp_path / "target"),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        full.write(b"x")
    assert list(tmp_path.iterdir()) == []
