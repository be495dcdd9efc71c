"""Where the numbers of the page come from: parameters, hashes of the data, versions."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from partialseg.core.params import read_yaml
from partialseg.report.tables import Table, number, text

AXES = ("dataset", "label_fraction", "seeds", "splits", "labellings", "architectures", "recipes")
# Sections of a data set that hold several by name, of which an experiment uses some.
CHOICES = ("splits", "labellings", "recipes")
# What makes, trains and scores; the others only show.
PACKAGES = ("torch", "numpy", "opencv-python-headless", "rasterio", "albumentations", "dvc")


@dataclass(frozen=True, kw_only=True)
class TrackedOutput:
    """An output of a stage as DVC recorded it; files is None for a single file."""

    path: str
    md5: str
    size: int
    files: int | None


def used_parameters(file: Path, dataset: str) -> str:
    """Return, as YAML, the part of params.yaml that the experiment on a data set uses.

    Raises:
        ValueError: the file cannot be read, or has no section of the data set.
    """
    content = read_yaml(file)
    try:
        used = {key: content[key] for key in AXES} | {"dataset": dataset}
        section = dict(content["datasets"][dataset])
        for key in CHOICES:
            section[key] = {name: section[key][name] for name in content[key]}
    except (KeyError, TypeError) as error:
        raise ValueError(f"{file}: no parameters of the data set {dataset}: {error}") from error
    used["datasets"] = {dataset: section}
    return yaml.safe_dump(used, sort_keys=False, allow_unicode=True, width=88)


def tracked_outputs(lock: Path, paths: Sequence[str]) -> list[TrackedOutput]:
    """Return the outputs at the given paths, or inside of these folders, from dvc.lock.

    Outputs of earlier experiments, which the file also holds, are left out by that.

    Raises:
        ValueError: the file cannot be read, or knows nothing of one of the paths.
    """
    content = read_yaml(lock)
    try:
        known = [
            TrackedOutput(
                path=out["path"], md5=out["md5"], size=out["size"], files=out.get("nfiles")
            )
            for stage in content["stages"].values()
            for out in stage.get("outs", [])
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{lock}: not a lock file of DVC: {error!r}") from error
    found = []
    for path in paths:
        inside = [out for out in known if out.path == path or out.path.startswith(f"{path}/")]
        if not inside:
            raise ValueError(f"{lock}: no output of a stage is at {path}")
        found += inside
    return found


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that make the numbers, of now."""
    return {"Python": platform.python_version()} | {
        package: metadata.version(package) for package in PACKAGES
    }


def commits(details: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return how many runs each commit trained; '' is no repository."""
    counts: dict[str, int] = {}
    for detail in details:
        counts[detail["commit"]] = counts.get(detail["commit"], 0) + 1
    return counts


def provenance_tables(
    details: Sequence[dict[str, Any]], outputs: Sequence[TrackedOutput]
) -> list[Table]:
    """Return the tables of commits, versions and hashes."""
    return [
        Table(
            caption="Commits that the runs were trained at ('+': with changed code)",
            headings=["Commit", "Runs"],
            rows=[
                [text(commit or "no repository"), number(count, "d")]
                for commit, count in commits(details).items()
            ],
        ),
        Table(
            caption="Versions when this page was made",
            headings=["Package", "Version"],
            rows=[[text(package), text(version)] for package, version in versions().items()],
        ),
        Table(
            caption="Data and networks, as recorded in dvc.lock",
            headings=["Output", "MD5", "Size (MiB)", "Files"],
            rows=[
                [
                    *(text(out.path), text(out.md5)),
                    number(out.size / 2**20, ".2f"),
                    number(1 if out.files is None else out.files, "d"),
                ]
                for out in outputs
            ],
        ),
    ]
