"""The section of a data set for params.yaml: a preset, and what all data sets have beside it."""

import re
from pathlib import Path

import yaml

SHARED = Path(__file__).with_name("shared.yaml")
KEYS = ("download", "tile", "splits", "objects")
NAME = re.compile(r"[a-z][a-z0-9_]*")  # as stage check wants it: it becomes part of file names


def section_text(name: str, preset: str, file: Path) -> str:
    """Return the lines of a data set for params.yaml, to stand below `datasets:`.

    Args:
        name: of the data set.
        preset: the text of a preset: the keys KEYS, at the left margin.
        file: where that text comes from, for messages.

    Raises:
        ValueError: the name is not allowed, or the text is no preset.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"name {name!r}: small letters, digits and _ alone, and a letter first")
    objects = _objects(preset, file)
    own = re.sub(r"^objects:.*\n?", "", preset, flags=re.MULTILINE)
    shared = "".join(
        line
        for line in SHARED.read_text(encoding="utf-8").splitlines(keepends=True)
        if not line.startswith("#")
    )
    shared = shared.replace("NAME", name).replace("OBJECTS", objects)
    body = f"{own.rstrip()}\n{shared}"
    indented = "".join(f"    {line}" if line.strip() else line for line in body.splitlines(True))
    return f"  {name}:\n{indented}"


def _objects(preset: str, file: Path) -> str:
    """Return the class whose objects are counted, as YAML."""
    try:
        content = yaml.safe_load(preset)
    except yaml.YAMLError as error:
        raise ValueError(f"{file}: not a YAML file: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or content.keys() != set(KEYS):
        found = list(content) if isinstance(content, dict) else content
        raise ValueError(f"{file}: a preset has the keys {', '.join(KEYS)}, got {found}")
    return repr(str(content["objects"]))


def with_path(preset: str, path: str) -> str:
    """Return a preset with another folder."""
    return re.sub(
        r"^(download:\n(?: +#.*\n)* +path:).*$",
        lambda found: f"{found[1]} {yaml.safe_dump(path).splitlines()[0]}",
        preset,
        count=1,
        flags=re.MULTILINE,
    )
