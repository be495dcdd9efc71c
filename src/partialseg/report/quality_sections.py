"""The sections of how well the networks do on the test split, in which respect."""

from collections.abc import Sequence

from partialseg.figures.border_distance import border_distance_figure
from partialseg.figures.reliability import reliability_figure
from partialseg.figures.svg import svg_text
from partialseg.report.cells import CellDetails
from partialseg.report.class_tables import (
    boundary_f1_table,
    boundary_iou_table,
    calibration_table,
    iou_table,
    objects_table,
    orthophoto_table,
)
from partialseg.report.page import Section, chart
from partialseg.report.pooled import distance_bands, reliability
from partialseg.run_name import cell_names, percent


def classes_section(
    main: CellDetails, class_names: Sequence[str], confusions: str, headline: str
) -> Section:
    """Return the section of confusions and IoU of the classes."""
    return Section(
        anchor="classes",
        title="Classes",
        charts=[
            chart(
                confusions,
                alt="Confusion matrices of the test split, in percent of the truth.",
                caption=f"Confusions on the test split at {percent(float(headline))} labels.",
            )
        ],
        tables=[iou_table(main, class_names)],
    )


def borders_section(
    main: CellDetails, shown: CellDetails, class_names: Sequence[str], headline: str
) -> Section:
    """Return the section of scores at borders, and of small objects."""
    bands = {cell: distance_bands(details) for cell, details in shown.items()}
    objects = objects_table(main)
    return Section(
        anchor="borders",
        title="Borders and small objects",
        charts=[
            chart(
                svg_text(border_distance_figure(bands, cell_names(list(shown))), "border-distance"),
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


def calibration_section(main: CellDetails, shown: CellDetails, headline: str) -> Section:
    """Return the section of how confidence and accuracy agree."""
    names = cell_names(list(shown))
    diagrams = {names[cell]: reliability(details) for cell, details in shown.items()}
    return Section(
        anchor="calibration",
        title="Calibration",
        charts=[
            chart(
                svg_text(reliability_figure(diagrams), "reliability"),
                alt="Accuracy over confidence of the test pixels, a diagram a cell; the "
                "calibration errors are in the table below.",
                caption=f"Reliability (test) at {percent(float(headline))} labels, all seeds "
                "together. Below the dashed line a network is surer than it is right; grey bars "
                "are the share of the pixels.",
            )
        ],
        tables=[calibration_table(main)],
    )


def orthophotos_section(shown: CellDetails, headline: str) -> Section:
    """Return the section of the scores of single orthophotos."""
    return Section(
        anchor="orthophotos",
        title="Orthophotos",
        paragraphs=[f"At {percent(float(headline))} labels."],
        tables=[orthophoto_table(shown)],
    )
