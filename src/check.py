"""Stage check: the top level of params.yaml, before anything else runs.

DVC builds its graph from these values (data set, fractions, the axes of the comparison); for a
wrong name it would only report a missing file.
"""

import argparse
from pathlib import Path

from partialseg.checking.experiment import Experiment
from partialseg.core.command import run
from partialseg.core.files import new_file
from partialseg.core.params import load_section


def check(params_file: Path, out: Path) -> Experiment:
    """Check the top level of a params file, and write a file whose content is always the same.

    So a change of the parameters makes DVC run this stage, but its output does not make DVC run a
    later one.

    Raises:
        ValueError: a key is missing or unknown, or a value is out of range.
    """
    experiment = load_section(params_file, "", Experiment)
    with new_file(out) as file:
        file.write_text("The parameters at the top level are valid.\n", encoding="utf-8")
    return experiment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    check(args.params, args.out)


if __name__ == "__main__":
    run(main)
