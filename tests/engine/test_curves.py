import math
import os
from pathlib import Path

import pytest

from partialseg.engine.curves import CURVES, CurveWriter, read_curve
from small_run import isolate, record


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolate(monkeypatch, tmp_path)


def write_curves(folder: Path, epochs: int = 3) -> Path:
    with CurveWriter(folder) as curves:
        for epoch in range(1, epochs + 1):
            curves.append(record(epoch))
    return folder


def test_what_is_written_is_read(tmp_path: Path) -> None:
    folder = write_curves(tmp_path / "run" / "curves")
    assert len(CURVES) == 4
    for curve, field in CURVES.items():
        expected = [getattr(record(epoch), field) for epoch in (1, 2, 3)]
        assert read_curve(folder, curve) == ([1, 2, 3], expected)


def test_curves_can_be_read_after_each_epoch(tmp_path: Path) -> None:
    with CurveWriter(tmp_path / "curves") as curves:
        curves.append(record(1))
        assert read_curve(tmp_path / "curves", "val/miou") == ([1], [1 / 7])
        curves.append(record(2))
        assert read_curve(tmp_path / "curves", "val/miou") == ([1, 2], [1 / 7, 2 / 7])


def test_a_loss_that_is_no_number_stays_in_the_curve(tmp_path: Path) -> None:
    with CurveWriter(tmp_path / "curves") as curves:
        curves.append(record(1, train_loss=math.nan))
        curves.append(record(2))
    epochs, (first, second) = read_curve(tmp_path / "curves", "train/loss")
    assert epochs == [1, 2]
    assert math.isnan(first) and second == 0.5


def test_a_second_run_replaces_the_curves_of_the_first(tmp_path: Path) -> None:
    write_curves(tmp_path / "curves", epochs=3)
    folder = write_curves(tmp_path / "curves", epochs=1)
    assert read_curve(folder, "train/loss") == ([1], [1.0])


def test_nothing_is_written_beside_the_folder(tmp_path: Path) -> None:
    folder = write_curves(tmp_path / "run" / "curves")
    assert os.listdir(folder.parent) == ["curves"]
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"metrics.json", *(f"plots/metrics/{curve}.tsv" for curve in CURVES)}
    assert set(os.listdir(tmp_path)) <= {"run", "site-cache"}


def test_a_missing_curve_is_named(tmp_path: Path) -> None:
    message = r"val/miou\.tsv: missing or damaged curve: .*No such file"
    with pytest.raises(ValueError, match=message):
        read_curve(tmp_path, "val/miou")


@pytest.mark.parametrize(
    "content",
    [
        b"step\tother\n1\t0.5\n",
        b"step\tmiou\n1\thigh\n",
        b"step\tmiou\none\t0.5\n",
        b"\xff\xfe\n",
        b"step\tmiou\n1\t0.5\n2",
        b"",
    ],
    ids=["other column", "no number", "no epoch", "no text", "cut short", "empty"],
)
def test_a_damaged_curve_is_named(tmp_path: Path, content: bytes) -> None:
    folder = write_curves(tmp_path / "curves", epochs=1)
    (folder / "plots" / "metrics" / "val" / "miou.tsv").write_bytes(content)
    with pytest.raises(ValueError, match=r"val/miou\.tsv: missing or damaged curve"):
        read_curve(folder, "val/miou")
