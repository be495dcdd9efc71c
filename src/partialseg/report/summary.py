"""The top of the page: what was compared, what came out, and the patches of each part."""

from collections.abc import Iterable, Mapping, Sequence

from partialseg.comparison.significance import expected_by_chance
from partialseg.evaluation.results import shown_scores
from partialseg.evaluation.runs import architecture_name, percent
from partialseg.report.data import ReportData
from partialseg.report.score_tables import Row
from partialseg.report.tables import Table, number, over_seeds, text
from partialseg.tiling.patches import PatchStore

PARTS = ("train", "val", "test")


def summary_facts(data: ReportData) -> list[tuple[str, str]]:
    """Return what was compared and what came out, as names and texts."""
    cells, results, best = data.cells, data.compared.results, data.best
    name, runs = data.names[best.run.cell], cells[best.run.cell]
    shown = shown_scores(best.detail)
    miou = over_seeds(shown_scores(detail)["miou"] for detail in runs)
    accuracy = over_seeds(shown_scores(detail)["accuracy"] for detail in runs)
    seeds = "seed" if len(runs) == 1 else "seeds"
    fractions = sorted({cell.label_fraction for cell in cells})
    facts = [
        ("Data set", data.compared.dataset),
        ("Splits", _listed(cell.split for cell in cells)),
        ("Label budgets", ", ".join(percent(fraction) for fraction in fractions)),
        ("Labels drawn as", _listed(cell.labelling for cell in cells)),
        ("Architectures", _listed(architecture_name(cell.architecture) for cell in cells)),
        ("Recipes", _listed(cell.recipe for cell in cells)),
        ("Seeds", _listed(str(item.run.seed) for item in results)),
        ("Trainings", f"{len(results)} ({len(cells)} cells × {len(runs)} {seeds})"),
        (
            "Best cell",
            f"{name}, by the highest validation mIoU of a run: {data.compared.scored} mIoU "
            f"{miou.text}, accuracy {accuracy.text} (all {shown['majority_class']}: mIoU "
            f"{shown['majority_miou']:.3f})",
        ),
    ]
    judged = [row for row in data.differences if row["low"] is not None]
    if judged:
        facts.append(("Differences", _significant(judged, len(runs))))
    return facts


def spread_note(seeds: int) -> str:
    """Return what the tables say of the spread over so many seeds."""
    if seeds == 1:
        return "One seed: the tables hold single values, without a spread over seeds."
    return f"Scores are mean ± sample standard deviation over the {seeds} seeds."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _significant(judged: Sequence[Row], seeds: int) -> str:
    count = sum(row["verdict"].startswith("significantly") for row in judged)
    found = f"{count} of {len(judged)} are significant at 95 %"
    if seeds == 1:
        return f"{found}, for these trained networks only: another seed may well reverse it"
    return f"{found}; about {expected_by_chance(len(judged)):.2g} would be by chance"


def data_table(stores: Mapping[str, PatchStore]) -> Table:
    """Return the patches of training, validation and, if any, test of each split by class share.

    stores are by the name of the split.
    """
    first = next(iter(stores.values()))
    several = len(stores) > 1
    of_split = "" if several else f" of split {next(iter(stores))}"
    rows = []
    for split, store in stores.items():
        for part in PARTS:
            patches = store.of_split(part)
            if part == "test" and not patches:  # test: none
                continue
            counts = [sum(of_class) for of_class in zip(*(p.counts for p in patches), strict=True)]
            rows.append(
                [
                    text(f"{split}, {part}" if several else part),
                    number(len(patches), "d"),
                    number(len({patch.orthophoto for patch in patches}), "d"),
                    *(
                        number(100 * count / sum(counts) if sum(counts) else None, ".1f")
                        for count in counts or [0] * len(first.summary.class_names)
                    ),
                ]
            )
    return Table(
        caption=f"Patches and orthophotos{of_split}, and shares of the classes in the truth (%)",
        headings=["Part", "Patches", "Orthophotos", *first.summary.class_names],
        rows=rows,
    )
