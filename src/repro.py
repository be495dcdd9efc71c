"""`dvc repro` or `dvc exp run -S ...`, with the trainings side by side."""

import argparse

from partialseg.cluster.repro import repro
from partialseg.core.command import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "targets", nargs="*", help="stages, also by patterns; default: the whole pipeline"
    )
    parser.add_argument(
        "-S",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="as for dvc exp run; without any, dvc repro is run",
    )
    parser.add_argument("--jobs", type=int, help="trainings at once; default: as many as fit")
    parser.add_argument("--scheduler", default="", help="of a Dask cluster, tcp://host:port")
    args = parser.parse_args()
    repro(args.settings, args.jobs, args.scheduler, args.targets)


if __name__ == "__main__":
    run(main)
