"""Stage report: one HTML page of what was compared, what came out, and where it comes from."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from partialseg.comparison.cells import by_cell, mean_curves, read_curves, scored_cells
from partialseg.comparison.significance import differences
from partialseg.core.command import run
from partialseg.evaluation.results import read_results
from partialseg.evaluation.runs import Run, cell_names, labels_folder, load_listed_runs, run_files
from partialseg.figures.confusion import confusions_figure
from partialseg.figures.curves import curves_figure
from partialseg.figures.differences import differences_figure
from partialseg.figures.style import svg_text
from partialseg.report.details import at_fraction, cell_details, check_details, confusion, of_first
from partialseg.report.page import write_page
from partialseg.report.provenance import tracked_outputs, used_parameters
from partialseg.report.score_tables import DIFFERENCE_KEYS, ROW_KEYS, read_rows
from partialseg.report.sections import Experiment, Figures, page_sections
from partialseg.tiling.patches import PatchStore


def report(experiment: Experiment, runs: Path, out: Path) -> None:
    """Write the page of an experiment, whose curves lie in the folder `runs`, to the file `out`.

    Raises:
        ValueError: no run is at the headline, or a curve or a prediction is missing or damaged.
        OSError: the page cannot be written.
    """
    if experiment.headline not in [item.run.cell.fraction for item in experiment.results]:
        raise ValueError(f"no run to report is at the headline fraction {experiment.headline}")
    first = experiment.results[0].run.cell.split
    cells = of_first(cell_details(experiment.results))
    shown = at_fraction(cells, experiment.headline)
    names = cell_names(list(shown))
    class_names = experiment.stores[first].summary.class_names
    of_cells = by_cell([read_curves(runs, item.run) for item in experiment.results])
    curves = [mean_curves(cell, of_cells[cell]) for cell in cells]
    confusions = {names[cell]: confusion(details) for cell, details in shown.items()}
    figures = Figures(
        curves=svg_text(curves_figure(curves), "curves"),
        confusions=svg_text(confusions_figure(confusions, class_names), "confusions"),
        differences=svg_text(
            differences_figure(differences(scored_cells(experiment.results))), "differences"
        ),
    )
    title = f"Land cover from partly labelled orthophotos: {experiment.dataset}"
    write_page(title, page_sections(experiment, figures), out)


def read_experiment(
    dataset: str,
    listed: Sequence[Run],
    headline: str,
    data: Path,
    runs: Path,
    metrics: Path,
    comparison: Path,
    params: Path,
    lock: Path,
) -> Experiment:
    """Read all that a page shows but the curves, from where dvc.yaml lays it.

    The folder `data` holds source, and for each split its patches and labels.

    Raises:
        ValueError: a file is missing, damaged, of another run or of an earlier version.
    """
    stores = {item.cell.split: data / item.cell.split / "patches" for item in listed}
    labels = [labels_folder(data, item) for item in listed]
    networks = [runs / item.path / "best.pt" for item in listed]
    outputs = dict.fromkeys([data / "source", *stores.values(), *labels, *networks])
    results = [read_results(run_files(runs, metrics, item), item) for item in listed]
    check_details(results)
    return Experiment(
        dataset=dataset,
        headline=headline,
        stores={split: PatchStore(folder) for split, folder in stores.items()},
        results=results,
        rows=read_rows(comparison / "table.json", ROW_KEYS),
        differences=read_rows(comparison / "differences.json", DIFFERENCE_KEYS),
        parameters=used_parameters(params, dataset),
        outputs=tracked_outputs(lock, [path.as_posix() for path in outputs]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--lock", type=Path, default=Path("dvc.lock"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--fractions", nargs="+", required=True)
    parser.add_argument("--headline", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--comparison", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    experiment = read_experiment(
        args.dataset,
        load_listed_runs(args.params, args.fractions),
        args.headline,
        args.data,
        args.runs,
        args.metrics,
        args.comparison,
        args.params,
        args.lock,
    )
    report(experiment, args.runs, args.out)
    print(f"{args.out}: {args.out.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    run(main)
