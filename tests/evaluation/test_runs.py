"""What makes a run that run."""

import pytest

from partialseg.evaluation.runs import AXES, Cell, Run, is_main, listed_runs


def run_at(fraction: str = "0.1", seed: int = 42, **axes: str) -> Run:
    named = {
        "split": "main",
        "labelling": "random",
        "architecture": "unet",
        "recipe": "tuned",
    } | axes
    return Run(cell=Cell(fraction=fraction, **named), seed=seed)


@pytest.mark.parametrize(
    ("fraction", "path", "number"),
    [
        ("0.1", "main/random/unet-0.1-tuned-42", 0.1),
        ("0.15", "main/random/unet-0.15-tuned-42", 0.15),
        ("1", "main/random/unet-1-tuned-42", 1.0),  # as DVC writes `label_fraction: 1`
        ("1e-05", "main/random/unet-1e-05-tuned-42", 0.00001),
    ],
)
def test_the_path_has_the_fraction_as_it_is_spelt(fraction: str, path: str, number: float) -> None:
    run = run_at(fraction)
    assert (run.path, run.cell.label_fraction) == (path, number)


def test_the_path_has_every_axis() -> None:
    run = run_at(
        "0.5", 7, split="official", labelling="points", architecture="unetplusplus", recipe="plain"
    )
    assert run.path == "official/points/unetplusplus-0.5-plain-7"


def test_the_identity_has_the_fraction_as_a_number() -> None:
    run = run_at("0.10", 7, architecture="unetplusplus", recipe="reproduction")
    of_cell = [
        ("split", "main"),
        ("label_fraction", 0.1),
        ("labelling", "random"),
        ("architecture", "unetplusplus"),
        ("recipe", "reproduction"),
    ]
    assert [*run.cell.identity().items()] == of_cell
    assert [*run.identity().items()] == [*of_cell, ("seed", 7)]


def test_equal_axes_and_seeds_are_the_same_run() -> None:
    runs = [run_at(), run_at(), run_at(seed=1), run_at(split="official"), run_at(recipe="a")]
    runs.append(run_at(labelling="points"))
    assert runs[0] == runs[1]
    assert len(set(runs)) == 5
    assert len({run.cell for run in runs}) == 4


def test_runs_are_listed_axis_by_axis_fractions_by_value_and_seeds_last() -> None:
    listed = listed_runs(
        ["official", "main"],
        ["0.1", "1e-3", "0.1"],
        ["random"],
        ["unetplusplus", "unet"],
        ["b", "a"],
        [7, 1],
    )
    assert [run.path for run in listed[:9]] == [
        *("official/random/unetplusplus-1e-3-b-7", "official/random/unetplusplus-1e-3-b-1"),
        *("official/random/unetplusplus-1e-3-a-7", "official/random/unetplusplus-1e-3-a-1"),
        *("official/random/unet-1e-3-b-7", "official/random/unet-1e-3-b-1"),
        *("official/random/unet-1e-3-a-7", "official/random/unet-1e-3-a-1"),
        "official/random/unetplusplus-0.1-b-7",
    ]
    assert [run.path.replace("main", "official", 1) for run in listed[16:]] == [
        run.path for run in listed[:16]
    ]
    assert len(set(listed)) == 2 * 2 * 2 * 2 * 2


def test_equal_fractions_that_are_spelt_differently_are_two() -> None:
    """dvc.yaml makes a stage of each spelling."""
    listed = listed_runs(["main"], ["0.10", "0.1"], ["random"], ["unet"], ["a"], [1])
    assert {run.path for run in listed} == {
        "main/random/unet-0.10-a-1",
        "main/random/unet-0.1-a-1",
    }


def test_labellings_are_listed_within_a_fraction() -> None:
    listed = listed_runs(["main"], ["0.2", "0.1"], ["points", "random"], ["unet"], ["a"], [1])
    assert [run.path for run in listed] == [
        "main/points/unet-0.1-a-1",
        "main/random/unet-0.1-a-1",
        "main/points/unet-0.2-a-1",
        "main/random/unet-0.2-a-1",
    ]


@pytest.mark.parametrize(
    ("axes", "is_one"),
    [
        ({"fraction": "0.2", "architecture": "unetplusplus", "recipe": "a"}, True),
        ({"split": "official"}, False),
        ({"labelling": "points"}, False),
    ],
)
def test_what_is_shown_alone_has_the_first_split_and_labelling(
    axes: dict[str, str], is_one: bool
) -> None:
    assert is_main(run_at(**axes).cell, run_at().cell) is is_one


def test_the_axes_are_those_of_a_cell_in_the_order_of_the_listing() -> None:
    assert AXES == ("split", "fraction", "labelling", "architecture", "recipe")
