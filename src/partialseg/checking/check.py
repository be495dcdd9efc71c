"""Stage check: params.yaml as a whole, before any stage that takes long."""

from pathlib import Path

from partialseg.checking.experiment import Experiment
from partialseg.checking.sections import check_sections
from partialseg.core.files import new_file
from partialseg.core.params import load_section


def check(params_file: Path, out: Path) -> Experiment:
    """Check a params file, and write a file whose content is always the same.

    So a change of the parameters makes DVC run this stage, but its output does not make DVC run a
    later one.

    Raises:
        ValueError: a key is missing or unknown, or a value is out of range.
    """
    experiment = load_section(params_file, "", Experiment)
    check_sections(params_file, experiment)
    with new_file(out) as file:
        file.write_text("The parameters at the top level are valid.\n", encoding="utf-8")
    return experiment
