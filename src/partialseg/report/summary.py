"""The facts at the top of the page."""

from collections.abc import Iterable, Sequence

from partialseg.report.cells import best_run, cell_details
from partialseg.report.comparison import Row
from partialseg.report.tables import over_seeds
from partialseg.results import RunResults
from partialseg.run_name import architecture_name, cell_names, percent
from partialseg.significance import expected_by_chance


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
        facts.append(("Differences", _told_apart(judged, len(runs))))
    return facts


def spread_note(seeds: int) -> str:
    """Return what the tables say of the spread over so many seeds."""
    if seeds == 1:
        return "One seed: the tables hold single values, without a spread over seeds."
    return f"Scores are mean ± sample standard deviation over the {seeds} seeds."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _told_apart(judged: Sequence[Row], seeds: int) -> str:
    told_apart = sum(row["verdict"].startswith(("higher", "lower")) for row in judged)
    found = f"{told_apart} of {len(judged)} are told from noise"
    if seeds == 1:
        return f"{found}, for these trained networks only: another seed may well reverse it"
    return f"{found}; about {expected_by_chance(len(judged)):.2g} would be by chance"
