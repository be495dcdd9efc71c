"""How runs are called in tables and figures."""

from collections.abc import Mapping

DISPLAY_NAMES: Mapping[str, str] = {"unet": "UNet", "unetplusplus": "UNet++"}


def architecture_name(architecture: str) -> str:
    """Return the name of an architecture as its paper writes it; unknown ones stay as they are."""
    return DISPLAY_NAMES.get(architecture, architecture)


def percent(fraction: float) -> str:
    """Return a fraction as text: 0.005 is '0.5 %', 1.0 is '100 %'."""
    return f"{100 * fraction:g} %"


def run_name(architecture: str, fraction: float) -> str:
    """Return the name of the run of an architecture at a label fraction: 'UNet++ 10 %'."""
    return f"{architecture_name(architecture)} {percent(fraction)}"
