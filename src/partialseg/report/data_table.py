"""The table of the data: patches, orthophotos and classes of each split."""

from collections.abc import Mapping

from partialseg.patches import PatchStore
from partialseg.report.tables import Table, number, text

PARTS = ("train", "val", "test")


def data_table(stores: Mapping[str, PatchStore]) -> Table:
    """Return a row for training, validation and test of each split, with shares of the classes.

    stores are by the name of the split.
    """
    first = next(iter(stores.values()))
    several = len(stores) > 1
    of_split = "" if several else f" of split {next(iter(stores))}"
    rows = []
    for split, store in stores.items():
        for part in PARTS:
            patches = store.of_split(part)
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
