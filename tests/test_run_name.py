"""Names of runs as people read them."""

import pytest

from partialseg.run import Run
from partialseg.run_name import architecture_name, percent, run_names


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


def run(architecture: str, fraction: str, recipe: str) -> Run:
    return Run(architecture=architecture, fraction=fraction, recipe=recipe)


def test_the_recipe_is_named_where_there_are_several() -> None:
    runs = [run("unet", "0.1", "tuned"), run("unetplusplus", "1e-3", "reproduction")]
    assert run_names(runs) == {
        runs[0]: "UNet 10 %, tuned",
        runs[1]: "UNet++ 0.1 %, reproduction",
    }


def test_one_recipe_of_all_is_left_out() -> None:
    runs = [run("unetplusplus", "0.10", "tuned"), run("my_net", "0.005", "tuned")]
    assert [*run_names(runs).values()] == ["UNet++ 10 %", "my_net 0.5 %"]
