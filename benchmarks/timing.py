"""Interleaved timing, and the tables in which the benchmarks print what they measured."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from tabulate import tabulate


def interleave(
    sides: Mapping[str, Callable[[], object]],
    repeats: int,
    warm_ups: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Return the median seconds of each side, run in turns (A B A B ...): drift hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(warm_ups + repeats):
        for name, run in sides.items():
            started = clock()
            run()
            if turn >= warm_ups:
                seconds[name].append(clock() - started)
    return {name: median(values) for name, values in seconds.items()}


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows of equal keys as a Markdown table; numbers get three significant digits."""
    print(tabulate([dict(row) for row in rows], headers="keys", tablefmt="github", floatfmt=".3g"))
