"""Stage strategies: what each strategy of active learning gives at equal label budgets."""

from collections.abc import Sequence
from pathlib import Path

from partialseg.comparison.cells import split_scores
from partialseg.comparison.table import table_rows, write_table
from partialseg.evaluation.results import RunResults, shown_scores
from partialseg.figures.budget import draw_budget


def compare_strategies(dataset: str, results: Sequence[RunResults], out: Path) -> None:
    """Write table and figure (of the first split) of runs whose labellings are strategies."""
    trivial = shown_scores(results[0].detail)
    majority_class, majority_miou = trivial["majority_class"], trivial["majority_miou"]
    out.mkdir(parents=True, exist_ok=True)
    write_table(table_rows(dataset, results), (majority_class, majority_miou), out)
    scores = split_scores(results, results[0].run.cell.split)
    draw_budget(scores, majority_miou, majority_class, out / "budget.png")
