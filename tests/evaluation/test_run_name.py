"""Names of cells as people read them."""

import pytest

from partialseg.evaluation.runs import Cell, architecture_name, cell_names, percent


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


def cell(architecture: str, fraction: str, recipe: str, split: str = "main") -> Cell:
    return Cell(
        split=split, architecture=architecture, fraction=fraction, labelling="random", recipe=recipe
    )


def test_the_recipe_is_named_where_there_are_several() -> None:
    cells = [cell("unet", "0.1", "tuned"), cell("unetplusplus", "1e-3", "reproduction")]
    assert cell_names(cells) == {
        cells[0]: "UNet 10 %, tuned",
        cells[1]: "UNet++ 0.1 %, reproduction",
    }


def test_the_split_is_named_where_there_are_several() -> None:
    cells = [cell("unet", "0.1", "tuned"), cell("unet", "0.1", "tuned", "official")]
    assert [*cell_names(cells).values()] == ["UNet 10 %, main", "UNet 10 %, official"]


def test_the_split_is_named_last() -> None:
    cells = [cell("unet", "0.1", "tuned"), cell("unetplusplus", "0.1", "plain", "official")]
    assert [*cell_names(cells).values()] == [
        "UNet 10 %, tuned, main",
        "UNet++ 10 %, plain, official",
    ]


def test_one_recipe_and_split_of_all_are_left_out() -> None:
    cells = [cell("unetplusplus", "0.10", "tuned"), cell("my_net", "0.005", "tuned")]
    assert [*cell_names(cells).values()] == ["UNet++ 10 %", "my_net 0.5 %"]
