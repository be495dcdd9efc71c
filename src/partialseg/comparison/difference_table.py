"""The differences between cells as a table: Markdown, CSV and JSON."""

from collections.abc import Sequence
from pathlib import Path

from partialseg.comparison.significance import Difference, Interval, expected_by_chance
from partialseg.comparison.table import Row, github_table, write_rows
from partialseg.evaluation.runs import AXES, Cell, architecture_name, percent

SIGNIFICANT = "A difference is significant (at 95 %) if both intervals exclude 0."


def difference_rows(found: Sequence[Difference]) -> list[Row]:
    """Return one flat row a difference, for JSON and CSV.

    compared and where are as in the table, first and second the values of the axis as in
    params.yaml, low and high the limits of the bootstrap, orthophotos the sum over the splits that
    are compared.
    """
    return [
        {
            "axis": difference.axis,
            "first": difference.values[0],
            "second": difference.values[1],
            "compared": compared(difference),
            "where": where(difference, found),
            "pairs": len(difference.first),
            "difference": difference.difference,
            "pooled": difference.pooled,
            "low": difference.bootstrap and difference.bootstrap[0],
            "high": difference.bootstrap and difference.bootstrap[1],
            "jackknife_low": difference.jackknife and difference.jackknife[0],
            "jackknife_high": difference.jackknife and difference.jackknife[1],
            "verdict": verdict(difference),
            "orthophotos": sum(difference.orthophotos),
            "seeds": difference.seeds,
        }
        for difference in found
    ]


def write_differences(found: Sequence[Difference], folder: Path) -> None:
    """Write differences.md, differences.csv and differences.json into a folder."""
    write_rows(difference_rows(found), markdown(found), folder / "differences")


def markdown(found: Sequence[Difference]) -> str:
    """Return the table as Markdown, and below it what its intervals cover."""
    if not found:
        return "One cell only: nothing to compare.\n"
    lines = [
        {
            "Compared": compared(difference),
            "Where": where(difference, found),
            f"Difference of {difference.scored} mIoU": f"{difference.difference:+.4f}",
            "95 % interval, bootstrap": interval(difference.bootstrap),
            "jackknife": interval(difference.jackknife),
            "Verdict": verdict(difference),
        }
        for difference in found
    ]
    return f"{github_table(lines)}\n\n{footnote(found)}\n"


def compared(difference: Difference) -> str:
    """Return what is compared: 'UNet++ against UNet'; the first value is the one to beat."""
    first, second = (_value_name(difference.axis, value) for value in difference.values)
    return f"{second} against {first}"


def where(difference: Difference, found: Sequence[Difference]) -> str:
    """Return where it was: 'mean of 4 pairs', or '15 %, tuned' by the axes that vary in found."""
    if difference.pooled:
        return f"mean of {len(difference.first)} pairs"
    cell = difference.first[0]
    cells = [cell for other in found for cell in (*other.first, *other.second)]
    varying = [axis for axis in AXES if len({getattr(cell, axis) for cell in cells}) > 1]
    names = [_cell_value(cell, axis) for axis in varying if axis != difference.axis]
    return ", ".join(names) or "one pair"


def interval(limits: Interval | None) -> str:
    """Return '-0.0102 to +0.0713', or '-' without an interval."""
    return "-" if limits is None else f"{limits[0]:+.4f} to {limits[1]:+.4f}"


def verdict(difference: Difference) -> str:
    """Return what the intervals say of the second value against the first."""
    if difference.reason is not None:
        return f"no interval: {difference.reason}"
    if not difference.significant:
        return "not significant"
    verdict = "significantly higher" if difference.difference > 0 else "significantly lower"
    return verdict if difference.seeds > 1 else f"{verdict}, with this seed"


def footnote(found: Sequence[Difference]) -> str:
    """Return what significant means, what the intervals cover, and what is to expect by chance."""
    seeds, scored = found[0].seeds, found[0].scored
    intervals = sum(difference.jackknife is not None for difference in found)
    if not intervals:
        return f"There are no intervals: they need at least two {scored} orthophotos."
    numbers = sorted({number for difference in found for number in difference.orthophotos})
    over = f"{' or '.join(map(str, numbers))} {scored} orthophotos"
    if seeds == 1:
        return (
            f"{SIGNIFICANT} The intervals cover the choice of {over}. With one seed they hold for "
            "these trained networks only: another seed may well reverse a verdict. There is no "
            "correction for multiple comparisons."
        )
    return (
        f"{SIGNIFICANT} The intervals cover the choice of {over} and of {seeds} seeds. There is no "
        "correction for multiple comparisons: if nothing differed, about "
        f"{expected_by_chance(intervals):.2g} of {intervals} intervals would exclude 0 by chance."
    )


def _cell_value(cell: Cell, axis: str) -> str:
    return _value_name(axis, getattr(cell, axis))


def _value_name(axis: str, value: str) -> str:
    match axis:
        case "fraction":
            return percent(float(value))
        case "architecture":
            return architecture_name(value)
        case _:
            return value
