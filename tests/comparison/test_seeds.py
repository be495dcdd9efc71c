import math
from dataclasses import dataclass

import numpy as np
import pytest

from partialseg.comparison.cells import by_cell, mean_and_std
from partialseg.evaluation.runs import Cell, Run


@dataclass(frozen=True)
class Note:
    """Something that belongs to a run."""

    run: Run
    text: str


def cell(architecture: str, split: str = "main") -> Cell:
    return Cell(
        split=split, fraction="0.1", labelling="random", architecture=architecture, recipe="tuned"
    )


def test_items_are_gathered_by_cell_in_the_order_in_which_they_come() -> None:
    notes = [
        Note(Run(cell=cell("b"), seed=2), "first"),
        Note(Run(cell=cell("a"), seed=2), "second"),
        Note(Run(cell=cell("b"), seed=1), "third"),
        Note(Run(cell=cell("b", "official"), seed=2), "fourth"),
        Note(Run(cell=cell("b"), seed=2), "fifth"),
    ]
    gathered = by_cell(notes)
    assert [*gathered] == [cell("b"), cell("a"), cell("b", "official")]
    assert [[note.text for note in of_cell] for of_cell in gathered.values()] == [
        ["first", "third", "fifth"],
        ["second"],
        ["fourth"],
    ]


def test_of_nothing_there_is_no_cell() -> None:
    assert by_cell([]) == {}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, 0.5], 0.0),
        ([0.25, 0.75], math.sqrt(0.125)),
        ([1.0, 2.0, 3.0], 1.0),
        ([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0], math.sqrt(32 / 7)),
    ],
)
def test_the_deviation_is_that_of_a_sample(values: list[float], expected: float) -> None:
    mean, std = mean_and_std(values)
    assert mean == pytest.approx(float(np.mean(values)))
    assert std == pytest.approx(expected)
    assert std == pytest.approx(float(np.std(values, ddof=1)))


def test_one_seed_alone_has_no_deviation() -> None:
    assert mean_and_std([0.5]) == (0.5, None)
