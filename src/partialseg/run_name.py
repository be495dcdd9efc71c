"""How runs are called in tables and figures."""

from collections.abc import Mapping, Sequence

from partialseg.run import Run

DISPLAY_NAMES: Mapping[str, str] = {"unet": "UNet", "unetplusplus": "UNet++"}


def architecture_name(architecture: str) -> str:
    """Return the name of an architecture as its paper writes it; unknown ones stay as they are."""
    return DISPLAY_NAMES.get(architecture, architecture)


def percent(fraction: float) -> str:
    """Return a fraction as text: 0.005 is '0.5 %', 1.0 is '100 %'."""
    return f"{100 * fraction:g} %"


def run_names(runs: Sequence[Run]) -> dict[Run, str]:
    """Name runs that are shown together: 'UNet++ 10 %, tuned', or 'UNet++ 10 %' of one recipe."""
    one_recipe = len({run.recipe for run in runs}) == 1
    return {
        run: f"{architecture_name(run.architecture)} {percent(run.label_fraction)}"
        + ("" if one_recipe else f", {run.recipe}")
        for run in runs
    }
