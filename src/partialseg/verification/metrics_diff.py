"""Print, as Markdown, which metrics differ from those of a commit; measured ones are left out."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from partialseg.evaluation.results import is_measured

Changes = Mapping[str, Mapping[str, Mapping[str, Any]]]  # old, new and diff by file and dotted key
NONE = "-"  # where one side has no such metric


def metrics_diff(base: str, repository: Path) -> Changes:
    """Return what `dvc metrics diff` finds between a commit and the work tree.

    Raises:
        ValueError: DVC fails, for there is no such commit, say.
    """
    command = [sys.executable, "-m", "dvc", "metrics", "diff", "--json", base]
    done = subprocess.run(command, cwd=repository, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise ValueError(f"dvc metrics diff {base}: failed with status {done.returncode}")
    changes: Changes = json.loads(done.stdout)
    return changes


def markdown(changes: Changes, base: str) -> str:
    """Return the table of the changes but those of measured metrics, files and keys in order."""
    rows = [
        {
            "Path": path,
            "Metric": key,
            base: _shown(change["old"], ".5g"),
            "work tree": _shown(change["new"], ".5g"),
            "Change": _shown(change.get("diff"), "+.2g"),
        }
        for path, of_file in sorted(changes.items())
        for key, change in sorted(of_file.items())
        if not is_measured(key)
    ]
    if not rows:
        return "No metric changed."
    return str(tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True))


def _shown(value: object, form: str) -> str:
    if isinstance(value, int | float):
        return f"{value:{form}}"
    return NONE if value is None else str(value)
