"""What labels and methods gain: the table of docs/label-budget.md, from runs that DVC has made.

A setting is a labelling (or a strategy) at a label fraction. In each, every recipe is compared with
partial cross-entropy alone (REFERENCE) with the same patches, epochs and seeds: test mIoU over the
seeds, the difference with its intervals (partialseg.comparison.significance), and the share of the
gap to full labels that it closes. Above the aim is how much more it scores than half of that gap
wants, and the reference than SHARE_OF_FULL of full labels. Cells that were not run are named on
stderr and left out.
"""

import argparse
import itertools
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tabulate import tabulate

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.comparison import difference_table
from partialseg.comparison.cells import scored_cells, seed_score
from partialseg.comparison.difference_table import interval, verdict
from partialseg.comparison.intervals import Term, bootstrap_interval, half_width, pseudovalues
from partialseg.comparison.significance import Difference, differences
from partialseg.comparison.table import LABELS
from partialseg.evaluation.results import RunResults, read_results
from partialseg.evaluation.runs import AXES, Cell, Run, percent, run_files, share
from partialseg.figures.differences import draw_differences

REFERENCE = "tuned"
RECIPES = ("pseudo_labels", "consistency", "gated_crf", "dice", "lovasz", "consistency_lovasz")
FULL = ("random", "1.0")  # always there: the ceiling
SETTINGS = ("random:0.1", "random:0.01", "points:0.1", "scribbles:0.01", "patches:0.1")
SHARE_OF_FULL = 0.98  # what labels should reach of the score with all of them
SMALLEST_GAP = 0.01  # in mIoU: shares of a smaller one say nothing
Runs = dict[Cell, list[RunResults]]
Row = dict[str, Any]


def read_runs(
    folder: Path,
    dataset: str,
    split: str,
    settings: Sequence[str],
    recipes: Sequence[str],
    seeds: Sequence[int],
) -> Runs:
    """Return the runs of the cells that have all seeds and whose reference has them too.

    Others are named, but for other recipes on full labels, which need no run. Without the runs of
    full labels the program ends with an error.
    """
    runs: Runs = {}
    for labelling, fraction in (FULL, *(setting.split(":") for setting in settings)):
        for recipe in (REFERENCE, *recipes):
            cell = Cell(
                split=split,
                fraction=fraction,
                labelling=labelling,
                architecture="unet",
                recipe=recipe,
            )
            listed = [Run(cell=cell, seed=seed) for seed in seeds]
            files = [
                run_files(folder / "runs" / dataset, folder / "metrics" / dataset, run)
                for run in listed
            ]
            compared = recipe == REFERENCE or replace(cell, recipe=REFERENCE) in runs
            if compared and all(file.scores.exists() for file in files):
                runs[cell] = [read_results(*pair) for pair in zip(files, listed, strict=True)]
            elif (labelling, fraction, recipe) == (*FULL, REFERENCE):
                sys.exit(
                    f"error: {files[0].scores}: not run with all of the seeds {seeds}: full labels"
                )
            elif (labelling, fraction) != FULL:
                remark = f"not run with all seeds: {labelling}, {fraction}, {recipe}"
                print(remark, file=sys.stderr)
    return runs


def compare_methods(runs: Runs) -> list[Row]:
    """Return a row a cell, with its difference from the reference, and from its aim."""
    rows = []
    labelling, fraction = FULL
    for cell, of_cell in runs.items():
        reference = runs[replace(cell, recipe=REFERENCE)]
        full = runs[replace(cell, recipe=REFERENCE, labelling=labelling, fraction=fraction)]
        row = _row(cell, of_cell, reference, seed_score(full).mean)
        if of_cell is reference and reference is not full:
            row["above_aim"] = _above_aim((1.0, of_cell), (-SHARE_OF_FULL, full))
        elif of_cell is not reference:
            row["above_aim"] = _above_aim((1.0, of_cell), (-0.5, reference), (-0.5, full))
            (difference,) = differences(scored_cells([*reference, *of_cell]))
            row |= {
                "difference": difference.difference,
                "bootstrap": difference.bootstrap,
                "jackknife": difference.jackknife,
                "orthophotos": difference.orthophotos,
                "verdict": verdict(difference),
            }
        rows.append(row)
    return rows


def _above_aim(*weighted: tuple[float, Sequence[RunResults]]) -> list[float] | None:
    """Return a sum of weighted mIoU and the wider limits of its intervals; None if it has none.

    Aims are linear in scores: SHARE_OF_FULL of full labels, and half of the gap to them, which is
    the mean of both ends.
    """
    scored = [(weight, *scored_cells(runs)) for weight, runs in weighted]
    if min(len(cell.orthophotos) for _, cell in scored) < 2:
        return None
    value = sum(weight * cell.miou() for weight, cell in scored)
    terms = [Term(weight=weight, split="", counts=cell.counts) for weight, cell in scored]
    low, high = bootstrap_interval(terms)
    half = half_width([sum(weight * pseudovalues(cell.counts) for weight, cell in scored)])
    return [value, min(low, value - half), max(high, value + half)]


def recorded_differences(rows: Sequence[Row]) -> list[Difference]:
    """Return the differences from the reference that the rows hold."""
    return [
        Difference(
            axis="recipe",
            first=(replace(_cell(row), recipe=REFERENCE),),
            second=(_cell(row),),
            difference=row["difference"],
            bootstrap=row["bootstrap"] and tuple(row["bootstrap"]),
            jackknife=row["jackknife"] and tuple(row["jackknife"]),
            orthophotos=tuple(row["orthophotos"]),
            seeds=len(row["seeds"]),
        )
        for row in rows
        if "difference" in row
    ]


def _cell(row: Row) -> Cell:
    values = {axis: row[axis] for axis in AXES if axis != "fraction"}
    return Cell(fraction=str(row["label_fraction"]), **values)


def compare_settings(runs: Runs) -> list[Difference]:
    """Return how the reference differs between any two settings, full labels first."""
    named = [
        replace(scored, cell=replace(scored.cell, labelling=_setting_name(cell), fraction=FULL[1]))
        for cell, of_cell in runs.items()
        if cell.recipe == REFERENCE
        for scored in scored_cells(of_cell)
    ]  # a setting is then one value of one axis, as differences() wants it
    pairs = itertools.combinations(named, 2)
    return [difference for pair in pairs for difference in differences(pair)]


def _setting_name(cell: Cell) -> str:
    return f"{cell.labelling}, {percent(float(cell.fraction))}"


def _row(
    cell: Cell, of_cell: Sequence[RunResults], reference: Sequence[RunResults], full: float
) -> Row:
    ours, theirs = seed_score(of_cell), seed_score(reference)
    gap = full - theirs.mean
    return cell.identity() | {
        "seeds": [item.run.seed for item in of_cell],
        **{name: _mean([item.detail[name] for item in of_cell]) for name in LABELS},
        "test_miou": ours.mean,
        "test_miou_std": ours.std,
        "val_miou": statistics.fmean(item.detail["val"]["miou"] for item in of_cell),
        "of_full": ours.mean / full,
        "gap_closed": (ours.mean - theirs.mean) / gap
        if gap > SMALLEST_GAP and of_cell is not reference
        else None,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a table."""
    shown = [
        {
            "Labels": f"{row['labelling']}, {percent(row['label_fraction'])}",
            "Labelled": share(row["labelled_pixels"]),
            "Recipe": row["recipe"],
            "Val mIoU": f"{row['val_miou']:.4f}",
            "Test mIoU": _mean_and_std(row["test_miou"], row["test_miou_std"]),
            "Of full labels": f"{row['of_full']:.0%}",
            "Against tuned": f"{row['difference']:+.4f}" if "difference" in row else "",
            "95 %, bootstrap": interval(row["bootstrap"]) if "difference" in row else "",
            "jackknife": interval(row["jackknife"]) if "difference" in row else "",
            "Verdict": row.get("verdict", ""),
            "Above the aim": _with_limits(row.get("above_aim")),
            "Gap closed": "" if row["gap_closed"] is None else f"{row['gap_closed']:.0%}",
        }
        for row in rows
    ]
    return tabulate(shown, headers="keys", tablefmt="github", disable_numparse=True) + "\n"


def _with_limits(found: Sequence[float] | None) -> str:
    return f"{found[0]:+.4f} ({found[1]:+.4f} to {found[2]:+.4f})" if found else ""


def _mean_and_std(mean: float, std: float | None) -> str:
    return f"{mean:.4f}" if std is None else f"{mean:.4f} ± {std:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, default=ROOT, help="where the runs lie")
    parser.add_argument("--dataset", default="sample")
    parser.add_argument("--split", default="main")
    parser.add_argument("--settings", nargs="+", default=SETTINGS, help="labelling:fraction ...")
    parser.add_argument("--recipes", nargs="*", default=RECIPES, help=f"beside {REFERENCE}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 1, 2])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "evidence")
    parser.add_argument("--name", default="label-budget", help="of the files in it")
    args = parser.parse_args()
    runs = read_runs(
        args.project, args.dataset, args.split, args.settings, args.recipes, args.seeds
    )
    rows, file = compare_methods(runs), args.out / f"{args.name}.json"
    file.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    if found := recorded_differences(rows):
        draw_differences(found, file.with_suffix(".png"))
    print(markdown(rows))
    print(difference_table.markdown(compare_settings(runs)), end="")


if __name__ == "__main__":
    main()
