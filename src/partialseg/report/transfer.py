"""The networks on other data sets: a matrix of trained on by tested on, and IoU by class."""

from collections.abc import Sequence
from typing import Any

from partialseg.evaluation.runs import Cell, cell_names
from partialseg.report.page import Section
from partialseg.report.tables import NONE, Entry, Table, number, over_seeds, text
from partialseg.transfer.results import MIN_PATCHES, TransferResults, without_test_split

Runs = Sequence[dict[str, Any]]
OWN, OTHER = "own", "other"  # the sides of a pair: test patches of the data set of the training ...


def transfer_section(results: Sequence[TransferResults]) -> Section | None:
    """Return the section of the results on other data sets, None where there are none."""
    if not results:
        return None
    return Section(
        anchor="transfer",
        title="Tested on other data sets",
        paragraphs=[
            "Classes are common ones, each made of one or more classes of a data set. A pair is "
            "scored in those that both data sets have. In brackets, the mIoU of the majority "
            "answer: the largest class everywhere. A network that is not above it has learned "
            "nothing that holds there.",
            f"Of fewer than {MIN_PATCHES} test patches, counts of pixels are shown instead of "
            "scores; they take part in no ranking.",
            *_assumptions(results),
            *_at_home(results),
        ],
        tables=[matrix_table(results), pairs_table(results)],
    )


def matrix_table(results: Sequence[TransferResults]) -> Table:
    """Return the mIoU of the cells of each data set (rows) on the other ones (columns)."""
    tested = list(dict.fromkeys(item.pair[1] for item in results))
    entries: dict[tuple[str, Cell], dict[str, Entry]] = {}
    for item in results:
        trained, other = item.pair
        for cell, runs in item.runs_of_cells().items():
            entries.setdefault((trained, cell), {})[other] = _beside_majority(item, runs, OTHER)
    names = cell_names([cell for _, cell in entries])
    return Table(
        caption="Test mIoU by data set of the training (rows) and of the test (columns)",
        headings=["Trained on", "Cell", *tested],
        rows=[
            [
                text(trained),
                text(names[cell]),
                *(found.get(other, Entry(NONE, None, True)) for other in tested),
            ]
            for (trained, cell), found in entries.items()
        ],
    )


def pairs_table(results: Sequence[TransferResults]) -> Table:
    """Return what the scores of each cell and pair rest on, and the IoU of its classes."""
    classes = list(dict.fromkeys(name for item in results for name in item.detail["classes"]))
    names = cell_names([cell for item in results for cell in item.runs_of_cells()])
    rows = []
    for item in results:
        for cell, runs in item.runs_of_cells().items():
            ranked = item.ranked(OTHER)
            rows.append(
                [
                    text(f"{item.pair[0]} → {item.pair[1]}"),
                    text(names[cell]),
                    number(item.detail[OTHER]["patches"], "d"),
                    _beside_majority(item, runs, OWN),
                    _beside_majority(item, runs, OTHER),
                    over_seeds(run[OTHER]["accuracy"] if ranked else None for run in runs),
                    *(
                        over_seeds(run[OTHER]["iou"].get(name) if ranked else None for run in runs)
                        for name in classes
                    ),
                ]
            )
    headings = ["Trained → tested", "Cell", "Test patches", "mIoU at home", "mIoU there"]
    return Table(
        caption="The same in detail: at home is the own test split, in the same classes",
        headings=[*headings, "Accuracy there", *(f"IoU of {name}" for name in classes)],
        rows=rows,
    )


def _beside_majority(results: TransferResults, runs: Runs, side: str) -> Entry:
    """Return the mIoU of a cell and that of the majority answer; of too few patches, counts."""
    facts = results.detail[side]
    if not results.ranked(side):
        right = " and ".join(str(run[side]["right"]) for run in runs)
        return Entry(f"{right} of {facts['pixels']} px ({facts['patches']} patches)", None, True)
    miou = over_seeds(run[side]["miou"] for run in runs)
    trivial = facts["majority"]
    return Entry(f"{miou.text} (all {trivial['class']} {trivial['miou']:.3f})", miou.value, True)


def _at_home(results: Sequence[TransferResults]) -> list[str]:
    """Return a sentence on the data sets whose own scores are those of the validation."""
    names = dict.fromkeys(item.pair[0] for item in results if without_test_split(item))
    if not names:
        return []
    return [
        f"Of {', '.join(names)} the mIoU at home is that of the validation, without a test split."
    ]


def _assumptions(results: Sequence[TransferResults]) -> list[str]:
    """Return a sentence on the pixel sizes that are assumed, if any are."""
    assumed = {}
    for item in results:
        trained, tested = item.pair
        sizes = item.detail["pixel_size"]
        if sizes["network_assumed"]:
            assumed[trained] = f"{sizes['network'][0]:.3g} m for the networks of {trained}"
        if sizes["files_assumed"]:
            assumed[tested] = f"{sizes['files_assumed_gsd']:.3g} m for the files of {tested}"
    if not assumed:
        return []
    return [f"Pixel sizes that are assumed, not known: {'; '.join(assumed.values())}."]
