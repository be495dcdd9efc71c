import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from partialseg.training.resume import digest_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "a.npy").write_bytes(b"12")
    (tmp_path / "data" / "deep" / "b.npy").write_bytes(b"3")
    return tmp_path / "data"


def mark_of(folder: Path, **settings: object) -> str:
    return digest_of(settings, {"data": folder})


def test_equal_inputs_have_equal_marks_in_any_place_and_order(folder: Path) -> None:
    mark = mark_of(folder, rate=0.1, epochs=3)
    assert len(mark) == 32
    assert mark_of(folder, epochs=3, rate=0.1) == mark
    moved = folder.rename(folder.with_name("elsewhere"))
    assert mark_of(moved, rate=0.1, epochs=3) == mark


def test_each_input_counts(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    marks = {mark_of(folder, rate=0.1), mark_of(folder, rate=0.2), mark_of(folder, lr=0.1)}
    (folder / "a.npy").write_bytes(b"1")
    marks.add(mark_of(folder, rate=0.1))
    (folder / "deep" / "b.npy").write_bytes(b"23")  # the same bytes one after the other
    marks.add(mark_of(folder, rate=0.1))
    (folder / "deep" / "b.npy").rename(folder / "deep" / "c.npy")
    marks.add(mark_of(folder, rate=0.1))
    monkeypatch.setattr(torch, "__version__", "0.0")
    marks.add(mark_of(folder, rate=0.1))
    module = ModuleType("partialseg.new")
    module.__file__ = str(tmp_path / "new.py")
    for code in ("", "x = 1\n"):
        (tmp_path / "new.py").write_text(code)
        monkeypatch.setitem(sys.modules, "partialseg.new", module)
        marks.add(mark_of(folder, rate=0.1))
    assert len(marks) == 9


def test_code_outside_the_project_does_not_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mark = mark_of(folder)
    module = ModuleType("other")
    module.__file__ = str(tmp_path / "missing.py")
    monkeypatch.setitem(sys.modules, "other", module)
    assert mark_of(folder) == mark
