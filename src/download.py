"""Stage download: put the source of a data set in place, check it and index it."""

import argparse
from pathlib import Path

from partialseg.core.command import run
from partialseg.datasets.download import download


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    download(args.dataset, args.params, args.out)


if __name__ == "__main__":
    run(main)
