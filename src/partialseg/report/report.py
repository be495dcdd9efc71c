"""Stage report: one HTML page of what was compared, what came out, and where it comes from.

Here is what stands on the page, from top to bottom.
"""

from pathlib import Path

from partialseg.comparison.cells import scored_cells, split_scores
from partialseg.comparison.significance import differences
from partialseg.evaluation.results import WITHOUT_TEST
from partialseg.figures.budget import budget_figure
from partialseg.figures.curves import curves_figure
from partialseg.figures.differences import differences_figure
from partialseg.figures.panel import WRONG
from partialseg.figures.style import svg_text
from partialseg.report.data import ReportData
from partialseg.report.examples import css_colour, examples
from partialseg.report.page import Chart, Section, write_page
from partialseg.report.provenance import provenance_tables
from partialseg.report.quality import (
    borders_section,
    calibration_section,
    classes_section,
    orthophotos_section,
)
from partialseg.report.score_tables import (
    comparison_table,
    cost_table,
    differences_table,
    leakage_table,
)
from partialseg.report.summary import data_table, spread_note, summary_facts
from partialseg.report.transfer import transfer_section
from partialseg.tiling.contact_sheet import NO_TRUTH_COLOUR


def report(data: ReportData, out: Path) -> None:
    """Write the page to the file `out`.

    Raises:
        ValueError: a prediction or a patch of an example is missing.
        OSError: the page cannot be written.
    """
    title = f"Land cover from partly labelled orthophotos: {data.compared.dataset}"
    write_page(title, page_sections(data), out)


def page_sections(data: ReportData) -> list[Section]:
    """Return the sections of the page; all but scores, splits and cost are of the first split.

    Charts except that of the label budget show the first labelling only, tables show all.
    """
    sections = [
        _summary(data),
        _scores(data),
        _differences(data),
        _curves(data),
        _splits(data),
        classes_section(data),
        borders_section(data),
        calibration_section(data),
        orthophotos_section(data),
        transfer_section(data.transfers),
        _examples(data),
        Section(anchor="cost", title="Cost", tables=[cost_table(data.cells)]),
        _provenance(data),
    ]
    return [section for section in sections if section is not None]


def _summary(data: ReportData) -> Section:
    return Section(
        anchor="summary",
        title="Summary",
        paragraphs=[
            spread_note(data.seeds),
            *([WITHOUT_TEST] if data.compared.scored != "test" else []),
        ],
        facts=summary_facts(data),
        tables=[data_table(data.stores)],
    )


def _scores(data: ReportData) -> Section:
    majority_class, majority_miou = data.compared.majority
    scores = split_scores(data.compared.results, data.compared.first_split)
    budget = budget_figure(scores, majority_miou, majority_class)
    scored = data.compared.scored
    bars = "bars are the standard deviation over the seeds, " if data.seeds > 1 else ""
    return Section(
        anchor="scores",
        title="Scores",
        charts=[
            Chart(
                svg=svg_text(budget, "budget"),
                alt=f"{scored.capitalize()} mIoU over the label fraction, one line per "
                "architecture, recipe and labelling; the numbers are in the table below.",
                caption=f"{scored.capitalize()} mIoU over the label budget; {bars}the "
                "dashed line is the score of predicting the largest class everywhere.",
            )
        ],
        tables=[comparison_table(data.rows, majority_class, majority_miou)],
    )


def _differences(data: ReportData) -> Section | None:
    if not data.differences:
        return None
    figure = differences_figure(differences(scored_cells(data.compared.results)))
    scored = data.compared.scored
    over = f"{scored} orthophotos and seeds" if data.seeds > 1 else f"{scored} orthophotos"
    return Section(
        anchor="differences",
        title="Differences",
        charts=[
            Chart(
                svg=svg_text(figure, "differences"),
                alt=f"Differences of {scored} mIoU and their 95 % confidence intervals; the "
                "numbers are in the table below.",
                caption=f"Thick lines: bootstrap over {over}; thin lines: jackknife. Blue: "
                "significant, since both exclude 0.",
            )
        ],
        tables=[differences_table(data.differences, scored)],
    )


def _curves(data: ReportData) -> Section:
    return Section(
        anchor="curves",
        title="Training curves",
        charts=[
            Chart(
                svg=svg_text(curves_figure(data.compared.main_curves), "curves"),
                alt="Loss of training and validation, mIoU and accuracy of the validation, over "
                "the epochs.",
                caption="Colour is architecture, line is label fraction.",
            )
        ],
    )


def _splits(data: ReportData) -> Section | None:
    table = leakage_table(data.cells)
    if table is None:
        return None
    scored = data.compared.scored
    return Section(
        anchor="leakage",
        title="Leakage between splits",
        paragraphs=[
            "The same training under different splits. Where neighbouring patches of one "
            f"orthophoto fall into training and {scored}, the {scored} is no longer of unseen "
            "ground, and its score is too high: the difference estimates by how much. The "
            "differences above say whether it is significant."
        ],
        tables=[table],
    )


def _examples(data: ReportData) -> Section | None:
    best, name = data.best, data.names[data.best.run.cell]
    store = data.stores[best.run.cell.split]
    found = examples(store, best.detail, best.predictions)
    if not found:
        return None
    colours = [*store.summary.palette, WRONG, NO_TRUTH_COLOUR]
    names = [*store.summary.class_names, "wrong", "no truth"]
    return Section(
        anchor="examples",
        title=f"Best and worst {data.compared.scored} patches",
        paragraphs=[
            f"Of the run of the highest validation mIoU: {name}, seed {best.run.seed}. Best and "
            "worst are by the IoU of the class on the patch."
        ],
        examples=found,
        legend=[(n, css_colour(colour)) for n, colour in zip(names, colours, strict=True)],
    )


def _provenance(data: ReportData) -> Section:
    details = [item.detail for item in data.compared.results]
    return Section(
        anchor="provenance",
        title="Provenance",
        tables=provenance_tables(details, data.outputs),
        paragraphs=["The parameters of this experiment are below the tables."],
        code=data.parameters,
    )
