"""What stands on the page, from top to bottom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from partialseg.comparison.cells import split_scores
from partialseg.evaluation.results import RunResults
from partialseg.evaluation.runs import cell_names
from partialseg.figures.budget import budget_figure
from partialseg.figures.panel import WRONG
from partialseg.figures.style import svg_text
from partialseg.report.details import (
    CellDetails,
    at_fraction,
    best_run,
    cell_details,
    of_first,
    of_split,
)
from partialseg.report.examples import css_colour, examples
from partialseg.report.page import Chart, Section
from partialseg.report.provenance import TrackedOutput, provenance_tables
from partialseg.report.quality import (
    borders_section,
    calibration_section,
    classes_section,
    orthophotos_section,
)
from partialseg.report.score_tables import (
    Row,
    comparison_table,
    cost_table,
    differences_table,
    leakage_table,
)
from partialseg.report.summary import data_table, spread_note, summary_facts
from partialseg.tiling.contact_sheet import NO_TRUTH_COLOUR
from partialseg.tiling.patches import PatchStore


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What the page is about.

    stores are the patches by split; rows and differences those of the comparison; headline is the
    label fraction of what is not shown for all.
    """

    dataset: str
    headline: str
    stores: Mapping[str, PatchStore]
    results: Sequence[RunResults]
    rows: Sequence[Row]
    differences: Sequence[Row]
    parameters: str
    outputs: Sequence[TrackedOutput]

    @property
    def seeds(self) -> int:
        """How many seeds the runs have."""
        return len({item.run.seed for item in self.results})


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The SVG of the figures that are drawn elsewhere too; differences may have none."""

    curves: str
    confusions: str
    differences: str | None


def page_sections(experiment: Experiment, figures: Figures) -> list[Section]:
    """Return the sections of the page; all but scores, splits and cost are of the first split.

    Charts but that of the label budget are of the first labelling too, tables of all.
    """
    cells = cell_details(experiment.results)
    first = next(iter(experiment.stores))
    main = of_split(cells, first)
    shown = at_fraction(of_first(cells), experiment.headline)
    class_names = next(iter(experiment.stores.values())).summary.class_names
    sections = [
        _summary(experiment),
        _scores(experiment, main),
        _differences(experiment, figures),
        _curves(figures),
        _splits(cells),
        classes_section(main, class_names, figures.confusions, experiment.headline),
        borders_section(main, shown, class_names, experiment.headline),
        calibration_section(main, shown, experiment.headline),
        orthophotos_section(shown, experiment.headline),
        _examples(experiment),
        Section(anchor="cost", title="Cost", tables=[cost_table(cells)]),
        Section(
            anchor="provenance",
            title="Provenance",
            tables=provenance_tables(
                [item.detail for item in experiment.results], experiment.outputs
            ),
            paragraphs=["The parameters of this experiment stand at the end."],
            code=experiment.parameters,
        ),
    ]
    return [section for section in sections if section is not None]


def _summary(experiment: Experiment) -> Section:
    return Section(
        anchor="summary",
        title="Summary",
        paragraphs=[spread_note(experiment.seeds)],
        facts=summary_facts(experiment.dataset, experiment.results, experiment.differences),
        tables=[data_table(experiment.stores)],
    )


def _scores(experiment: Experiment, main: CellDetails) -> Section:
    majority = next(iter(main.values()))[0]["test"]
    answer = majority["majority_class"], majority["majority_miou"]
    scores = split_scores(experiment.results, next(iter(main)).split)
    budget = budget_figure(scores, answer[1], answer[0])
    bars = "bars are the standard deviation over the seeds, " if experiment.seeds > 1 else ""
    return Section(
        anchor="scores",
        title="Scores",
        charts=[
            Chart(
                svg=svg_text(budget, "budget"),
                alt="Test mIoU over the label fraction, a line an architecture, "
                "recipe and labelling; the numbers are in the table below.",
                caption=f"Test mIoU over the label budget; {bars}the dashed line is the answer of "
                "the largest class everywhere.",
            )
        ],
        tables=[comparison_table(experiment.rows, *answer)],
    )


def _differences(experiment: Experiment, figures: Figures) -> Section | None:
    if not experiment.differences:
        return None
    charts = []
    if figures.differences is not None:
        drawn = "test orthophotos and seeds" if experiment.seeds > 1 else "test orthophotos"
        charts.append(
            Chart(
                svg=figures.differences,
                alt="Differences of test mIoU and their 95 % confidence intervals; the numbers "
                "are in the table below.",
                caption=f"Thick lines: bootstrap over {drawn}; thin lines: jackknife. Blue where "
                "both exclude 0.",
            )
        )
    return Section(
        anchor="differences",
        title="Differences",
        charts=charts,
        tables=[differences_table(experiment.differences)],
    )


def _curves(figures: Figures) -> Section:
    return Section(
        anchor="curves",
        title="Training curves",
        charts=[
            Chart(
                svg=figures.curves,
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
            "its score is too high: the difference estimates by how much. Whether it is more than "
            "noise is among the differences above."
        ],
        tables=[table],
    )


def _examples(experiment: Experiment) -> Section | None:
    best = best_run(experiment.results)
    store = experiment.stores[best.run.cell.split]
    found = examples(store, best.detail, best.predictions)
    if not found:
        return None
    colours = [*store.summary.palette, WRONG, NO_TRUTH_COLOUR]
    names = [*store.summary.class_names, "wrong", "no truth"]
    name = cell_names([item.run.cell for item in experiment.results])[best.run.cell]
    return Section(
        anchor="examples",
        title="Best and worst test patches",
        paragraphs=[
            f"Of the run of the highest validation mIoU: {name}, seed {best.run.seed}. Best and "
            "worst are by the IoU of the class on the patch."
        ],
        examples=found,
        legend=[(n, css_colour(colour)) for n, colour in zip(names, colours, strict=True)],
    )
