"""Stage check: params.yaml, before anything else runs.

DVC builds its graph from the values at the top (data set, fractions, the axes of the comparison);
for a wrong name it would only report a missing file. And a value that only a late stage reads would
be found to be wrong after hours of training.
"""

import argparse
from pathlib import Path

from partialseg.checking.check import check
from partialseg.core.command import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    check(args.params, args.out)


if __name__ == "__main__":
    run(main)
