"""Run the committed pipeline from scratch, and compare its metrics with the committed ones."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from tabulate import tabulate

from partialseg.core.command import run
from partialseg.verification.verify import verify


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tolerance",
        type=float,
        default=1e-6,
        help="of scores in 0..1 (default: 1e-6, for the machine that made them)",
    )
    parser.add_argument("--keep", type=Path, help="a new folder for the clone, which stays")
    args = parser.parse_args()
    with TemporaryDirectory(prefix="verify-") as folder:
        clone = args.keep.resolve() if args.keep else Path(folder) / "clone"
        count, found = verify(Path(__file__).parents[1], clone, args.tolerance)
    rows = [vars(item) for item in found]
    if rows:
        print(tabulate(rows, headers="keys", tablefmt="github"))
    print(f"{count} metrics, {len(rows)} differ by more than {args.tolerance:g}")
    if rows:
        raise SystemExit(1)


if __name__ == "__main__":
    run(main)
