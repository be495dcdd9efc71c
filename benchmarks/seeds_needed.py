"""How many seeds an interval of a wanted half-width takes, by the differences of a table at hand.

A difference is taken apart into what orthophotos, seeds and both together make of it, by the mean
squares of the jackknife's pseudovalues (a two-way layout with random effects, as in Searle,
Casella and McCulloch 1992, Variance Components). From these follows the half-width of the jackknife
with other numbers of seeds and orthophotos. The parts are estimates too, so the numbers are rough.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.comparison.cells import ScoredCell, scored_cells
from partialseg.comparison.difference_table import compared, where
from partialseg.comparison.intervals import Estimate, crossed_half_width, pseudovalues
from partialseg.comparison.significance import Difference, differences
from partialseg.evaluation.results import read_results
from partialseg.evaluation.runs import load_listed_runs, run_files
from timing import print_table

FRACTIONS = ("0.1", "0.15")  # which a table always has
MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Variances of a single value: what a seed, an orthophoto, and both together add to it."""

    seed: float
    orthophoto: float
    both: float


def parts_of(table: NDArray[np.float64]) -> Parts:
    """Return the variances within a table (S, N), S and N >= 2; none is negative."""
    seeds, number = table.shape
    of_seeds, of_orthophotos = table.mean(axis=1, keepdims=True), table.mean(axis=0)
    rest = table - of_seeds - of_orthophotos + table.mean()
    both = float((rest**2).sum()) / ((seeds - 1) * (number - 1))
    return Parts(
        seed=max(float(of_seeds.var(ddof=1)) - both / number, 0.0),
        orthophoto=max(float(of_orthophotos.var(ddof=1)) - both / seeds, 0.0),
        both=both,
    )


def half_width(parts: Parts, seeds: int, orthophotos: int) -> float:
    """Return the half-width of the 95 % interval to be expected."""
    both = parts.both / (seeds * orthophotos)
    of_seeds = Estimate(parts.seed / seeds + both, seeds - 1)
    of_orthophotos = Estimate(parts.orthophoto / orthophotos + both, orthophotos - 1)
    interaction = Estimate(both, (seeds - 1) * (orthophotos - 1))
    return crossed_half_width(([of_seeds], [of_orthophotos]), [interaction])


def seeds_for(wanted: float, parts: Parts, orthophotos: int) -> int | None:
    """Return the fewest seeds with at most this half-width; None: even MOST are too few."""
    counts = range(2, MOST + 1)
    return next((n for n in counts if half_width(parts, n, orthophotos) <= wanted), None)


def table_of(difference: Difference, cells: Sequence[ScoredCell]) -> NDArray[np.float64]:
    """Return the pseudovalues (S, N) of a difference within one split."""
    counts = {scored.cell: scored.counts for scored in cells}
    pairs = zip(difference.first, difference.second, strict=True)
    signed = [pseudovalues(counts[two]) - pseudovalues(counts[one]) for one, two in pairs]
    return np.mean(signed, axis=0)


def read_cells(project: Path, dataset: str) -> list[ScoredCell]:
    """Return the cells of the table that the project's params.yaml lists."""
    listed = load_listed_runs(project / "params.yaml", FRACTIONS)
    folders = project / "runs" / dataset, project / "metrics" / dataset
    return scored_cells([read_results(run_files(*folders, run), run) for run in listed])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path, help="a clone whose pipeline has run, seeds >= 2")
    parser.add_argument("--dataset", default="sample")
    parser.add_argument("--wanted", type=float, nargs="+", default=[0.02, 0.01], help="half-widths")
    args = parser.parse_args()
    cells = read_cells(args.project, args.dataset)
    found = [item for item in differences(cells) if item.axis != "split"]
    rows = []
    for difference in found:
        table = table_of(difference, cells)
        parts, (seeds, number) = parts_of(table), table.shape
        row = {"compared": compared(difference), "where": where(difference, found)}
        row[f"{seeds} seeds, {number} orthophotos"] = f"{half_width(parts, seeds, number):.4f}"
        for wanted in args.wanted:
            for more in (number, 4 * number):
                needed = seeds_for(wanted, parts, more)
                row[f"seeds for {wanted:g}, {more} orthophotos"] = str(needed or "no number")
        rows.append(row)
    print_table(rows)


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:  # a run is missing: params.yaml lists one that is still to come
        sys.exit(f"error: {error}")
