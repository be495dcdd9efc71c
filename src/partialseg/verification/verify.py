"""Run the committed pipeline from scratch, and compare its metrics with the committed ones."""

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partialseg.evaluation.results import is_measured

OUTPUTS = ("dvc.lock", "metrics", "models", "plots")
COMMIT = "commit"  # of the training; the results are committed later


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A metric of a file that differs; None where one side does not have it."""

    file: str
    metric: str
    committed: Any
    again: Any


def verify(repository: Path, clone: Path, tolerance: float) -> tuple[int, list[Difference]]:
    """Run the commit HEAD in a new clone; return the number of metrics, and those that differ.

    Raises:
        ValueError: the clone exists, nothing is committed, or the pipeline fails.
    """
    if clone.exists():
        raise ValueError(f"{clone}: exists; the clone needs a folder of its own")
    _run("git", "clone", "--quiet", "--no-local", str(repository), str(clone), at=repository)
    committed = read_metrics(clone)
    if not committed:
        raise ValueError(f"{repository}: no metrics are committed")
    for name in OUTPUTS:
        path = clone / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    # If the user has set a cache.dir, the clone shares it, and DVC would reuse earlier runs.
    _run(sys.executable, "-m", "dvc", "repro", "--no-run-cache", at=clone)
    return len(committed), differences(committed, read_metrics(clone), tolerance)


def read_metrics(folder: Path) -> dict[tuple[str, str], Any]:
    """Return the values in metrics/ by file and dotted key, without measured ones and commits."""
    return {
        (file.relative_to(folder).as_posix(), key): value
        for file in sorted((folder / "metrics").rglob("*.json"))
        for key, value in leaves(json.loads(file.read_text(encoding="utf-8")))
        if key != COMMIT and not is_measured(key)
    }


def leaves(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested objects and lists with their dotted keys."""
    if isinstance(content, dict | list):
        items = content.items() if isinstance(content, dict) else enumerate(content)
        for name, value in items:
            yield from leaves(value, f"{key}.{name}" if key else str(name))
    else:
        yield key, content


def differences(
    committed: dict[tuple[str, str], Any], again: dict[tuple[str, str], Any], tolerance: float
) -> list[Difference]:
    """Return the metrics that differ by more than the tolerance, absolute and relative.

    Values that are no numbers have to be equal.
    """
    return [
        Difference(file=file, metric=metric, committed=old, again=new)
        for file, metric in sorted(committed.keys() | again.keys())
        if not _agree(
            old := committed.get((file, metric)), new := again.get((file, metric)), tolerance
        )
    ]


def _agree(old: Any, new: Any, tolerance: float) -> bool:
    if isinstance(old, int | float) and isinstance(new, int | float):
        return math.isclose(old, new, rel_tol=tolerance, abs_tol=tolerance)
    return bool(old == new)


def _run(*command: str, at: Path) -> None:
    # A cache of its own, so that nothing computed before is reused.
    environment = os.environ | {"DVC_SITE_CACHE_DIR": str(at / ".dvc" / "tmp" / "site-cache")}
    done = subprocess.run(command, cwd=at, env=environment)
    if done.returncode:
        raise ValueError(f"{' '.join(command)}: failed with status {done.returncode}")
