"""The files of the figures: whole, reproducible, small; and what the figures may import."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from code_of_stage import SRC
from drawings import NAMES, PALETTE, make_cells, make_curves, make_matrices, make_row, make_scores
from partialseg.figures.confusion import draw_confusions
from partialseg.figures.curves import draw_curves
from partialseg.figures.miou import draw_miou
from partialseg.figures.panel import draw_panel
from partialseg.figures.style import new_figure, save_small

CELLS = make_cells([0.1])
Draw = Callable[[Path], None]
DRAWS: dict[str, tuple[Draw, Draw]] = {
    "curves": (
        lambda file: draw_curves(make_curves(CELLS, 3), file),
        lambda file: draw_curves(make_curves(CELLS, 4), file),
    ),
    "miou": (
        lambda file: draw_miou(make_scores(CELLS), 0.117, "background", file),
        lambda file: draw_miou(make_scores(CELLS, 0.5), 0.117, "background", file),
    ),
    "confusions": (
        lambda file: draw_confusions(make_matrices(2, 3), NAMES[:3], file),
        lambda file: draw_confusions(make_matrices(2, 4), NAMES[:4], file),
    ),
    "panel": (
        lambda file: draw_panel([make_row()], NAMES, PALETTE, file),
        lambda file: draw_panel([make_row("other")], NAMES, PALETTE, file),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("figure", DRAWS)
def test_equal_data_gives_equal_bytes(figure: str, tmp_path: Path) -> None:
    draw, draw_other = DRAWS[figure]
    files = [tmp_path / "new" / f"{figure}{number}.png" for number in range(3)]
    for file, drawn in zip(files, (draw, draw, draw_other), strict=True):
        drawn(file)
    one, two, other = (file.read_bytes() for file in files)
    assert one == two != other
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [f.name for f in files]
    with Image.open(files[0]) as picture:
        assert picture.format == "PNG"
        assert "Software" not in picture.info
        assert picture.width >= 900


@pytest.mark.parametrize("figure", DRAWS)
def test_nothing_is_left_of_a_figure_that_cannot_be_written(
    figure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(_: object, file: Path, **options: object) -> None:
        Path(file).write_bytes(b"half a picture")
        raise OSError("disk full")

    file = tmp_path / "figure.png"
    file.write_bytes(b"the earlier one")
    owner, method = (Image.Image, "save") if figure == "panel" else (Figure, "savefig")
    monkeypatch.setattr(owner, method, break_off)
    with pytest.raises(OSError, match="disk full"):
        DRAWS[figure][0](file)
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]
    assert file.read_bytes() == b"the earlier one"


def test_many_classes_leave_colours_for_the_photographs(tmp_path: Path) -> None:
    photograph = make_row().image
    figure = new_figure(2, 2)
    figure.figimage(photograph)
    file = tmp_path / "small.png"
    save_small(figure, [(value, 255 - value, 80) for value in range(255)], file)
    with Image.open(file) as picture:
        shown = np.asarray(picture.convert("RGB"))[-64:, :64].astype(int)
    assert np.abs(shown - photograph).mean() < 20


@pytest.mark.slow
def test_figures_need_neither_pyplot_nor_torch() -> None:
    code = (
        "import sys; from partialseg.figures import confusion, curves, miou, panel; "
        "sys.exit(any(name in sys.modules for name in ('matplotlib.pyplot', 'torch')))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=SRC, check=True)


def test_only_the_figures_import_matplotlib() -> None:
    imports = re.compile(r"^\s*(import|from) matplotlib", re.MULTILINE)
    users = {file for file in SRC.rglob("*.py") if imports.search(file.read_text())}
    assert {file.parent for file in users} == {SRC / "partialseg" / "figures"}
    assert len(users) >= 5
