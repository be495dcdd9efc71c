"""Tables of the page: what an entry shows and what it is sorted by; means over seeds in them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from partialseg.comparison.cells import mean_and_std
from partialseg.evaluation.runs import Cell

Detail = Mapping[str, Any]  # the content of the details file of a run
CellDetails = Mapping[Cell, Sequence[Detail]]
NONE = "–"  # shown where there is no value


@dataclass(frozen=True)
class Entry:
    """A cell of a table: its text and, of numbers, what it is sorted by (None: last)."""

    text: str
    value: float | None = None
    numeric: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: its caption, the headings of its columns, its rows, and rows that stay below."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Entry]]
    footer: Sequence[Sequence[Entry]] = ()

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.headings) for row in (*self.rows, *self.footer))


def text(content: object) -> Entry:
    """Return an entry that is sorted as text; a number stays with its percent sign."""
    return Entry(str(content).replace(" %", "\N{NO-BREAK SPACE}%"))


def number(value: float | None, form: str = ".3f", unit: str = "") -> Entry:
    """Return an entry of a number; NONE without one, or for NaN."""
    if value is None or math.isnan(value):
        return Entry(NONE, None, True)
    return Entry(f"{shown(value, form)}{unit}", value, True)


def shown(value: float, form: str) -> str:
    """Return a number as text, with the sign that is as wide as a plus."""
    return f"{value:{form}}".replace("-", "−")


def spread(mean: float | None, std: float | None, form: str = ".3f", unit: str = "") -> Entry:
    """Return an entry 'mean ± std', or the mean alone; it is sorted by the mean."""
    if mean is None or std is None:
        return number(mean, form, unit)
    return Entry(f"{shown(mean, form)} ± {std:{form}}{unit}", mean, True)


def over_seeds(values: Iterable[float | None], form: str = ".3f", unit: str = "") -> Entry:
    """Return the entry 'mean ± std' of the values of a cell's runs.

    Seeds without a value, for a class that occurs in other runs only, are left out.
    """
    known = known_values(values)
    return spread(*mean_and_std(known), form, unit) if known else number(None)


def known_values(values: Iterable[float | None]) -> list[float]:
    """Return the values without None and NaN."""
    return [value for value in values if value is not None and not math.isnan(value)]
