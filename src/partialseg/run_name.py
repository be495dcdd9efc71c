"""How cells of the comparison are called in tables and figures."""

from collections.abc import Mapping, Sequence

from partialseg.run import Cell

DISPLAY_NAMES: Mapping[str, str] = {"unet": "UNet", "unetplusplus": "UNet++"}


def architecture_name(architecture: str) -> str:
    """Return the name of an architecture as its paper writes it; unknown ones stay as they are."""
    return DISPLAY_NAMES.get(architecture, architecture)


def percent(fraction: float) -> str:
    """Return a fraction as text: 0.005 is '0.5 %', 1.0 is '100 %'."""
    return f"{100 * fraction:g} %"


def share(value: float) -> str:
    """Return a measured share as text of three digits: 0.00123 is '0.123 %'."""
    return f"{100 * value:.3g} %"


def cell_names(cells: Sequence[Cell]) -> dict[Cell, str]:
    """Name cells that are shown together: 'UNet++ 10 %, points, tuned, main'.

    Labelling, recipe and split are left out where all have the same.
    """
    axes = ("labelling", "recipe", "split")
    several = [axis for axis in axes if len({getattr(cell, axis) for cell in cells}) > 1]
    return {
        cell: ", ".join(
            [
                f"{architecture_name(cell.architecture)} {percent(cell.label_fraction)}",
                *(getattr(cell, axis) for axis in several),
            ]
        )
        for cell in cells
    }
