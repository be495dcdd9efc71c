"""All that the page of the report shows, read and grouped once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from partialseg.comparison.cells import by_cell
from partialseg.comparison.compared import ComparedRuns, headline_cells
from partialseg.comparison.publish import best_run
from partialseg.evaluation.results import RunResults, shown_scores, shown_split
from partialseg.evaluation.runs import Cell, cell_names, labels_folder, percent
from partialseg.report.provenance import TrackedOutput, tracked_outputs, used_parameters
from partialseg.report.score_tables import DIFFERENCE_KEYS, Row, read_rows, row_keys
from partialseg.report.tables import Detail
from partialseg.tiling.patches import PatchStore
from partialseg.transfer.results import TransferResults

SHOWN = {
    "accumulation",
    "gflop",
    "peak_memory_mib",
    "commit",
}  # keys of the details ...
SHOWN_OF_SPLIT = {"orthophotos", "boundary", "objects", "calibration", "border_distance"}


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """What the page shows of the compared runs.

    stores are the patches by split. rows and differences are the tables that compare wrote,
    parameters a part of params.yaml, and outputs the files behind the numbers as DVC tracks them.
    transfers are results on other data sets.
    """

    compared: ComparedRuns
    stores: Mapping[str, PatchStore]
    rows: Sequence[Row]
    differences: Sequence[Row]
    parameters: str
    outputs: Sequence[TrackedOutput]
    transfers: Sequence[TransferResults] = ()

    @cached_property
    def cells(self) -> dict[Cell, list[Detail]]:
        """The details of the runs of each cell, cells and runs in their order."""
        return cell_details(self.compared.results)

    @cached_property
    def names(self) -> dict[Cell, str]:
        """The names of all cells beside each other."""
        return cell_names(list(self.cells))

    @cached_property
    def first_split(self) -> dict[Cell, list[Detail]]:
        """The cells of the first split."""
        first = self.compared.first_split
        return {cell: details for cell, details in self.cells.items() if cell.split == first}

    @cached_property
    def headline(self) -> dict[Cell, list[Detail]]:
        """The cells of the first split and labelling at the headline fraction."""
        shown = headline_cells(self.compared.results, self.compared.headline)
        return {cell: self.cells[cell] for cell in shown}

    @cached_property
    def headline_names(self) -> dict[Cell, str]:
        """The names of the cells at the headline beside each other."""
        return cell_names(list(self.headline))

    @property
    def headline_percent(self) -> str:
        """The headline fraction as text: '10 %'."""
        return percent(float(self.compared.headline))

    @property
    def class_names(self) -> Sequence[str]:
        """The names of the classes, in the order of their ids."""
        return self.stores[self.compared.first_split].summary.class_names

    @property
    def seeds(self) -> int:
        """How many seeds the runs have."""
        return len({item.run.seed for item in self.compared.results})

    @cached_property
    def best(self) -> RunResults:
        """The run of the highest validation mIoU in the first split and labelling."""
        return best_run(self.compared.results)


def read_report_data(
    compared: ComparedRuns, data: Path, runs: Path, comparison: Path, params: Path, lock: Path
) -> ReportData:
    """Read what the page shows beside the compared runs, from where dvc.yaml lays it.

    The folder `data` holds source, and for each split its patches and labels; the folder
    `comparison` the tables of compare.

    Raises:
        ValueError: a file is missing, damaged, of another run or of an earlier version.
    """
    check_details(compared.results)
    listed = [item.run for item in compared.results]
    stores = {item.cell.split: data / item.cell.split / "patches" for item in listed}
    labels = [labels_folder(data, item) for item in listed]
    networks = [runs / item.path / "best.pt" for item in listed]
    outputs = dict.fromkeys([data / "source", *stores.values(), *labels, *networks])
    return ReportData(
        compared=compared,
        stores={split: PatchStore(folder) for split, folder in stores.items()},
        rows=read_rows(comparison / "table.json", row_keys(compared.scored)),
        differences=read_rows(comparison / "differences.json", DIFFERENCE_KEYS),
        parameters=used_parameters(params, compared.dataset),
        outputs=tracked_outputs(lock, [path.as_posix() for path in outputs]),
    )


def check_details(results: Sequence[RunResults]) -> None:
    """Check that the details of runs have what the page shows.

    Raises:
        ValueError: they lack something, being of an earlier version.
    """
    for item in results:
        examples = f"{shown_split(item.detail)}_examples"
        missing = ({*SHOWN, examples} - item.detail.keys()) | (
            SHOWN_OF_SPLIT - shown_scores(item.detail).keys()
        )
        if missing:
            lacking = ", ".join(sorted(missing))
            raise ValueError(f"details of the run {item.run.path}: lack {lacking}; evaluate again")


def cell_details(results: Sequence[RunResults]) -> dict[Cell, list[Detail]]:
    """Return the details of the runs of each cell, cells and runs in their order."""
    return {cell: [item.detail for item in runs] for cell, runs in by_cell(results).items()}
