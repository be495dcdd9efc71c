"""Stage strategies: what each strategy of active learning gives at equal label budgets."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from partialseg.comparison.cells import split_scores
from partialseg.comparison.table import table_rows, write_table
from partialseg.core.command import run
from partialseg.core.params import load_section
from partialseg.evaluation.results import read_results
from partialseg.evaluation.runs import Run, listed_runs, run_files
from partialseg.figures.budget import draw_budget

FIGURE = "budget.png"


def strategies(dataset: str, listed: Sequence[Run], runs: Path, metrics: Path, out: Path) -> None:
    """Write the table of the listed runs, whose labellings are strategies, and their figure.

    The figure shows the runs of the first split.

    Raises:
        ValueError: a listed run is missing or damaged.
    """
    results = [read_results(run_files(runs, metrics, item), item) for item in listed]
    trivial = results[0].detail["test"]
    out.mkdir(parents=True, exist_ok=True)
    majority = trivial["majority_class"], trivial["majority_miou"]
    write_table(table_rows(dataset, results), majority, out)
    scores = split_scores(results, results[0].run.cell.split)
    draw_budget(scores, trivial["majority_miou"], trivial["majority_class"], out / FIGURE)


def load_strategy_runs(params_file: Path, fraction: str) -> list[Run]:
    """Return the runs of all strategies, of the rounds up to a label fraction.

    Raises:
        ValueError: the file cannot be read, an axis is missing or no list, or no round ends there.
    """
    # As they are written, since that is how DVC names files by them.
    rounds = load_section(params_file, "rounds", list[dict[str, int | float]])
    fractions = [str(item["fraction"]) for item in rounds]
    if fraction not in fractions:
        raise ValueError(f"{params_file}: rounds: none ends at the label fraction {fraction}")
    return listed_runs(
        load_section(params_file, "splits", list[str]),
        fractions[: fractions.index(fraction) + 1],
        load_section(params_file, "strategies", list[str]),
        load_section(params_file, "architectures", list[str]),
        load_section(params_file, "recipes", list[str]),
        load_section(params_file, "seeds", list[int]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--fraction", required=True, help="of the last round that is shown")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    listed = load_strategy_runs(args.params, args.fraction)
    strategies(args.dataset, listed, args.runs, args.metrics, args.out)
    print((args.out / "table.md").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    run(main)
