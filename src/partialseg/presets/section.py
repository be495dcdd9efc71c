"""The section of a data set for params.yaml: a preset, and what all data sets have beside it."""

import re
from pathlib import Path

import yaml

SHARED = Path(__file__).with_name("shared.yaml")
NEEDED = {"download", "tile"}
# Without them: one split, no class whose objects are counted, no use beside other data sets.
OPTIONAL = {"splits", "objects", "transfer"}
CROP = 192  # px: the side of crops, if patches are not smaller
NAME = re.compile(r"[a-z][a-z0-9_]*")  # as stage check wants it: it becomes part of file names


def section_text(name: str, preset: str, file: Path) -> str:
    """Return the lines of a data set for params.yaml, to stand below `datasets:`.

    Args:
        name: of the data set.
        preset: the text of a preset: the keys NEEDED and OPTIONAL, at the left margin.
        file: where that text comes from, for messages.

    Raises:
        ValueError: the name is not allowed, or the text is no preset.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"name {name!r}: small letters, digits and _ alone, and a letter first")
    content = _content(preset, file)
    own = re.sub(r"^objects:.*\n?", "", preset, flags=re.MULTILINE).rstrip() + "\n"
    if "splits" not in content:
        own += "splits: {main: {}}\n"
    objects = repr(str(content.get("objects", "")))
    shared = "".join(
        line
        for line in SHARED.read_text(encoding="utf-8").splitlines(keepends=True)
        if not line.startswith("#")
    )
    values = {"NAME": name, "OBJECTS": objects, "CROP": str(min(CROP, _smallest_patch(content)))}
    body = own + re.sub("|".join(values), lambda found: values[found[0]], shared)
    indented = "".join(f"    {line}" if line.strip() else line for line in body.splitlines(True))
    return f"  {name}:\n{indented}"


def _content(preset: str, file: Path) -> dict[str, object]:
    try:
        content = yaml.safe_load(preset)
    except yaml.YAMLError as error:
        raise ValueError(f"{file}: not a YAML file: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not NEEDED <= content.keys() <= NEEDED | OPTIONAL:
        found = list(content) if isinstance(content, dict) else content
        raise ValueError(
            f"{file}: a preset has the keys {', '.join(sorted(NEEDED))}, and perhaps "
            f"{', '.join(sorted(OPTIONAL))}; got {found}"
        )
    return content


def _smallest_patch(content: dict[str, object]) -> int:
    """Return the side in px of the smallest patches that tile and splits ask for."""
    changes = content.get("splits", {})
    sections = [content["tile"], *(changes.values() if isinstance(changes, dict) else ())]
    sizes = [section.get("size") for section in sections if isinstance(section, dict)]
    return min((size for size in sizes if isinstance(size, int)), default=CROP)


def with_path(preset: str, path: str) -> str:
    """Return a preset with another folder."""
    return re.sub(
        r"^(download:\n(?: +#.*\n)* +path:).*$",
        lambda found: f"{found[1]} {yaml.safe_dump(path).splitlines()[0]}",
        preset,
        count=1,
        flags=re.MULTILINE,
    )
