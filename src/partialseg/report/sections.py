"""What stands on the page, from top to bottom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from partialseg.contact_sheet import NO_TRUTH_COLOUR
from partialseg.figures.border_distance import border_distance_figure
from partialseg.figures.budget import budget_figure
from partialseg.figures.maps import WRONG
from partialseg.figures.reliability import reliability_figure
from partialseg.patches import PatchStore
from partialseg.report.cells import (
    CellDetails,
    Detail,
    at_fraction,
    best_run,
    by_cell,
    cell_names,
    of_split,
)
from partialseg.report.class_tables import (
    boundary_f1_table,
    boundary_iou_table,
    calibration_table,
    iou_table,
    objects_table,
    orthophoto_table,
)
from partialseg.report.comparison import (
    Row,
    comparison_table,
    cost_table,
    differences_table,
    leakage_table,
)
from partialseg.report.data_table import data_table
from partialseg.report.examples import examples
from partialseg.report.page import Section, chart
from partialseg.report.pictures import css_colour
from partialseg.report.pooled import distance_bands, miou_score, reliability
from partialseg.report.provenance import TrackedOutput, provenance_tables
from partialseg.report.summary import summary_facts
from partialseg.run import Run
from partialseg.run_name import percent


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What the page is about.

    stores are the patches by split; rows and differences those of the comparison; predictions the
    class ids (H, W) of the example patches of best_run(details), by name; headline is the label
    fraction of what is not shown for all.
    """

    dataset: str
    headline: str
    stores: Mapping[str, PatchStore]
    details: Mapping[Run, Detail]
    rows: Sequence[Row]
    differences: Sequence[Row]
    predictions: Mapping[str, NDArray[np.uint8]]
    parameters: str
    outputs: Sequence[TrackedOutput]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The figures of the comparison that other pages show too; differences may have none."""

    curves: Figure
    confusions: Figure
    differences: Figure | None


def page_sections(experiment: Experiment, figures: Figures) -> list[Section]:
    """Return the sections of the page; all but scores, splits and cost are of the first split."""
    cells = by_cell(experiment.details)
    first = next(iter(experiment.stores))
    main = of_split(cells, first)
    shown = at_fraction(main, experiment.headline)
    class_names = next(iter(experiment.stores.values())).summary.class_names
    sections = [
        _summary(experiment),
        _scores(experiment, main),
        _differences(experiment, figures),
        _curves(figures),
        _splits(cells),
        _classes(main, class_names, figures, experiment.headline),
        _borders(main, shown, class_names, experiment.headline),
        _calibration(main, shown, experiment.headline),
        _orthophotos(shown, experiment.headline),
        _examples(experiment),
        Section(anchor="cost", title="Cost", tables=[cost_table(cells)]),
        Section(
            anchor="provenance",
            title="Provenance",
            tables=provenance_tables(list(experiment.details.values()), experiment.outputs),
            paragraphs=["The parameters of this experiment stand at the end."],
            code=experiment.parameters,
        ),
    ]
    return [section for section in sections if section is not None]


def _summary(experiment: Experiment) -> Section:
    return Section(
        anchor="summary",
        title="Summary",
        facts=summary_facts(experiment.dataset, experiment.details, experiment.differences),
        tables=[data_table(experiment.stores)],
    )


def _scores(experiment: Experiment, main: CellDetails) -> Section:
    majority = next(iter(main.values()))[0]["test"]
    answer = majority["majority_class"], majority["majority_miou"]
    scores = {cell: miou_score(details) for cell, details in main.items()}
    budget = budget_figure(scores, answer[1], answer[0])
    return Section(
        anchor="scores",
        title="Scores",
        charts=[
            chart(
                "budget",
                budget,
                alt="Test mIoU over the share of labelled pixels, a line an architecture and "
                "recipe; the numbers are in the table below.",
                caption="Test mIoU over the label budget; bars are the standard deviation over "
                "the seeds, the dashed line is the answer of the largest class everywhere.",
            )
        ],
        tables=[comparison_table(experiment.rows, *answer)],
    )


def _differences(experiment: Experiment, figures: Figures) -> Section | None:
    if not experiment.differences or figures.differences is None:
        return None
    return Section(
        anchor="differences",
        title="Differences",
        charts=[
            chart(
                "differences",
                figures.differences,
                alt="Differences of test mIoU and their 95 % confidence intervals; the numbers "
                "are in the table below.",
                caption="Differences of test mIoU with 95 % confidence intervals.",
            )
        ],
        tables=[differences_table(experiment.differences)],
    )


def _curves(figures: Figures) -> Section:
    return Section(
        anchor="curves",
        title="Training curves",
        charts=[
            chart(
                "curves",
                figures.curves,
                alt="Loss of training and validation, mIoU and accuracy of the validation, over "
                "the epochs.",
                caption="Colour is architecture, line is label fraction.",
            )
        ],
    )


def _splits(cells: CellDetails) -> Section | None:
    table = leakage_table(cells)
    if table is None:
        return None
    return Section(
        anchor="leakage",
        title="Leakage between splits",
        paragraphs=[
            "The same training under different splits. Where neighbouring patches of one "
            "orthophoto fall into training and test, the test is no longer of unseen ground, and "
            "its score is too high: the difference tells by how much."
        ],
        tables=[table],
    )


def _classes(
    main: CellDetails, class_names: Sequence[str], figures: Figures, headline: str
) -> Section:
    return Section(
        anchor="classes",
        title="Classes",
        charts=[
            chart(
                "confusions",
                figures.confusions,
                alt="Confusion matrices of the test split, in percent of the truth.",
                caption=f"Confusions on the test split at {percent(float(headline))} labels.",
            )
        ],
        tables=[iou_table(main, class_names)],
    )


def _borders(
    main: CellDetails, shown: CellDetails, class_names: Sequence[str], headline: str
) -> Section:
    bands = {cell: distance_bands(details) for cell, details in shown.items()}
    objects = objects_table(main)
    return Section(
        anchor="borders",
        title="Borders and small objects",
        charts=[
            chart(
                "border-distance",
                border_distance_figure(bands, cell_names(list(shown))),
                alt="Accuracy of the pixels over their distance to the next border of classes.",
                caption="Accuracy over the distance to a border (test), at "
                f"{percent(float(headline))} labels, all seeds together.",
            )
        ],
        tables=[
            boundary_iou_table(main, class_names),
            boundary_f1_table(main),
            *([objects] if objects else []),
        ],
    )


def _calibration(main: CellDetails, shown: CellDetails, headline: str) -> Section:
    names = cell_names(list(shown))
    diagrams = {names[cell]: reliability(details) for cell, details in shown.items()}
    return Section(
        anchor="calibration",
        title="Calibration",
        charts=[
            chart(
                "reliability",
                reliability_figure(diagrams),
                alt="Accuracy over confidence of the test pixels, a diagram a cell; the "
                "calibration errors are in the table below.",
                caption=f"Reliability (test) at {percent(float(headline))} labels, all seeds "
                "together. Below the dashed line a network is surer than it is right; grey bars "
                "are the share of the pixels.",
            )
        ],
        tables=[calibration_table(main)],
    )


def _orthophotos(shown: CellDetails, headline: str) -> Section:
    return Section(
        anchor="orthophotos",
        title="Orthophotos",
        paragraphs=[f"At {percent(float(headline))} labels."],
        tables=[orthophoto_table(shown)],
    )


def _examples(experiment: Experiment) -> Section | None:
    best = best_run(experiment.details)
    store = experiment.stores[best.cell.split]
    found = examples(store, experiment.details[best], experiment.predictions)
    if not found:
        return None
    colours = [*store.summary.palette, WRONG, NO_TRUTH_COLOUR]
    names = [*store.summary.class_names, "wrong", "no truth"]
    name = cell_names(list(by_cell(experiment.details)))[best.cell]
    return Section(
        anchor="examples",
        title="Best and worst test patches",
        paragraphs=[
            f"Of the run of the highest validation mIoU: {name}, seed {best.seed}. Best and worst "
            "are by the IoU of the class on the patch."
        ],
        examples=found,
        legend=[(n, css_colour(colour)) for n, colour in zip(names, colours, strict=True)],
    )
