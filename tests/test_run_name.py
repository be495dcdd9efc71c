"""Names of runs as people read them."""

import pytest

from partialseg.run_name import architecture_name, percent, run_name


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.10, "10 %"),
        (0.15, "15 %"),
        (0.07, "7 %"),  # 7.000000000000001 in binary floating point
        (0.29, "29 %"),
        (0.005, "0.5 %"),
        (0.125, "12.5 %"),
        (0.00025, "0.025 %"),
        (1.0, "100 %"),
        (1, "100 %"),
    ],
)
def test_percent(fraction: float, text: str) -> None:
    assert percent(fraction) == text


@pytest.mark.parametrize(
    ("architecture", "name"),
    [("unet", "UNet"), ("unetplusplus", "UNet++"), ("my_net", "my_net")],
)
def test_architecture_name(architecture: str, name: str) -> None:
    assert architecture_name(architecture) == name


def test_run_name() -> None:
    assert run_name("unetplusplus", 0.10) == "UNet++ 10 %"
    assert run_name("my_net", 0.005) == "my_net 0.5 %"
