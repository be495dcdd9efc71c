"""Readers of any colour vision tell the classes and the lines apart."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from colour_vision import SIMULATED, lab, nearest_pair
from partialseg.core.classes import Colour
from partialseg.evaluation.runs import Cell
from partialseg.figures.style import COLOURS, cell_styles
from partialseg.source.legend import LANDCOVER_AI


def bytes_of(colour: str) -> Colour:
    red, green, blue = (round(255 * channel) for channel in to_rgb(colour))
    return red, green, blue


LINES = [bytes_of(colour) for colour in COLOURS]


def test_the_simulation_has_known_values() -> None:
    """Red in CIE L*a*b* by the standard; what is grey stays as it is for everybody."""
    assert lab([(255, 0, 0)], "normal")[0] == pytest.approx([53.24, 80.09, 67.20], abs=0.05)
    for vision in SIMULATED:
        np.testing.assert_allclose(
            lab([(90, 90, 90)], vision), lab([(90, 90, 90)], "normal"), atol=0.1
        )
    # The pair of colours that protanopes and deuteranopes famously confuse.
    red, green = (200, 70, 60), (120, 110, 40)
    normal, _ = nearest_pair([red, green], "normal")
    deuteranopia, pair = nearest_pair([red, green], "deuteranopia")
    assert pair == (0, 1) and deuteranopia < normal / 3


@pytest.mark.parametrize("vision", SIMULATED)
def test_classes_stay_apart(vision: str) -> None:
    distance, pair = nearest_pair(LANDCOVER_AI.palette, vision)
    assert distance > 20, [LANDCOVER_AI.names[place] for place in pair]


@pytest.mark.parametrize("vision", SIMULATED)
@pytest.mark.parametrize(("colours", "least"), [(2, 90), (4, 16)])
def test_lines_stay_apart(vision: str, colours: int, least: float) -> None:
    """Two architectures at once is what there is; of four, markers tell the nearest apart."""
    distance, pair = nearest_pair(LINES[:colours], vision)
    assert distance > least, [COLOURS[place] for place in pair]


def test_lines_of_one_chart_differ_by_marker_too() -> None:
    cells = [
        Cell(
            split="main",
            fraction="0.1",
            labelling="random",
            architecture=architecture,
            recipe=recipe,
        )
        for architecture in ("unet", "unetplusplus")
        for recipe in ("reproduction", "tuned")
    ]
    styles = cell_styles(cells)
    assert len({style.marker for style in styles.values()}) == 4
    by_colour = [[styles[cell].colour for cell in cells[place : place + 2]] for place in (0, 2)]
    assert by_colour == [[COLOURS[0]] * 2, [COLOURS[1]] * 2]
    by_line = [str(styles[cell].line) for cell in cells]
    assert by_line[0] == by_line[2] != by_line[1] == by_line[3]
