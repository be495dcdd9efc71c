"""The facts at the top of the page."""

from collections.abc import Iterable, Sequence

from partialseg.report.cells import best_run, cell_details
from partialseg.report.comparison import Row
from partialseg.report.tables import over_seeds
from partialseg.results import RunResults
from partialseg.run_name import architecture_name, cell_names, percent


def summary_facts(
    dataset: str, results: Sequence[RunResults], differences: Sequence[Row]
) -> list[tuple[str, str]]:
    """Return what was compared and what came out, as names and texts."""
    cells = cell_details(results)
    best = best_run(results)
    name, runs = cell_names(list(cells))[best.run.cell], cells[best.run.cell]
    test = best.detail["test"]
    miou = over_seeds(detail["test"]["miou"] for detail in runs)
    accuracy = over_seeds(detail["test"]["accuracy"] for detail in runs)
    seeds = "seed" if len(runs) == 1 else "seeds"
    fractions = sorted({cell.label_fraction for cell in cells})
    facts = [
        ("Data set", dataset),
        ("Splits", _listed(cell.split for cell in cells)),
        ("Label budgets", ", ".join(percent(fraction) for fraction in fractions)),
        ("Labels drawn as", _listed(cell.labelling for cell in cells)),
        ("Architectures", _listed(architecture_name(cell.architecture) for cell in cells)),
        ("Recipes", _listed(cell.recipe for cell in cells)),
        ("Seeds", _listed(str(item.run.seed) for item in results)),
        ("Trainings", f"{len(results)} ({len(cells)} cells × {len(runs)} {seeds})"),
        (
            "Best cell",
            f"{name}, by the highest validation mIoU of a run: test mIoU {miou.text}, accuracy "
            f"{accuracy.text} (all {test['majority_class']}: mIoU {test['majority_miou']:.3f})",
        ),
    ]
    judged = [row for row in differences if row["low"] is not None]
    if judged:
        told_apart = sum(row["verdict"].startswith(("higher", "lower")) for row in judged)
        facts.append(
            (
                "Differences",
                f"{told_apart} of {len(judged)} are told from noise{_of_seed(judged)}; "
                f"about {0.05 * len(judged):.1f} would be by chance",
            )
        )
    return facts


def spread_note(seeds: int) -> str:
    """Return what the tables say of the spread over so many seeds."""
    if seeds == 1:
        return "One seed: the tables hold single values, without a spread over seeds."
    return f"Scores are mean ± sample standard deviation over the {seeds} seeds."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _of_seed(judged: Sequence[Row]) -> str:
    """Return what has to be said of verdicts that rest on one seed."""
    one = any("with this seed" in row["verdict"] for row in judged)
    return ", with this seed: other seeds may reverse it" if one else ""
