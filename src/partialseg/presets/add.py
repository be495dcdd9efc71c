"""Add a data set to params.yaml: the section of a preset, or of a file like one."""

from pathlib import Path

import yaml

from partialseg.core.files import new_file
from partialseg.core.params import load_section, read_yaml
from partialseg.datasets.folder.download import Download
from partialseg.presets.section import section_text, with_path
from partialseg.tiling.params import Tile
from partialseg.transfer.params import load_transfer

PRESETS = Path(__file__).parents[3] / "presets"


def preset_names() -> list[str]:
    """Return the names of the presets."""
    return sorted(file.stem for file in PRESETS.glob("*.yaml"))


def preset_file(preset: str) -> Path:
    """Return the file of a preset, by its name or its path.

    Raises:
        ValueError: there is none.
    """
    file = Path(preset) if preset.endswith((".yaml", ".yml")) else PRESETS / f"{preset}.yaml"
    if not file.is_file():
        raise ValueError(f"{preset}: no such preset; there are {', '.join(preset_names())}")
    return file


def add_preset(params_file: Path, preset: str, name: str, path: str) -> str:
    """Add the section of a preset at the end of `datasets` in a params file; return its name.

    Args:
        params_file: keeps all that it has, comments too.
        preset: the name of one, or a file.
        name: that of the data set ('': that of the preset).
        path: the folder of the files ('': that of the preset).

    Raises:
        ValueError: there is no such preset, its content is wrong, or the data set is there already.
    """
    file = preset_file(preset)
    name = name or file.stem
    text = file.read_text(encoding="utf-8")
    add_section(
        params_file, name, section_text(name, with_path(text, path) if path else text, file)
    )
    return name


def add_section(params_file: Path, name: str, section: str) -> None:
    """Add the lines of a data set at the end of `datasets`.

    Raises:
        ValueError: `datasets` is missing or has the name already, or the section is wrong.
    """
    before = read_yaml(params_file)
    if not isinstance(before, dict) or not isinstance(before.get("datasets"), dict):
        raise ValueError(f"{params_file}: has no `datasets`")
    if name in before["datasets"]:
        raise ValueError(f"{params_file}: datasets.{name} is there already; choose another name")
    text = params_file.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    end = _end_of_datasets(text, lines)
    if end and not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    with new_file(params_file) as part:
        part.write_text("".join([*lines[:end], "\n", section, *lines[end:]]), encoding="utf-8")
        try:
            after = read_yaml(part)
            download = load_section(part, f"datasets.{name}.download", Download)
            _check_transfer(part, name, after["datasets"][name], download)
            for split in after["datasets"][name]["splits"]:
                changes = f"datasets.{name}.splits.{split}"
                load_section(part, f"datasets.{name}.tile", Tile, changes)
        except ValueError as error:
            raise ValueError(str(error).replace(str(part), str(params_file))) from error
        others = {key: value for key, value in after["datasets"].items() if key != name}
        assert others == before["datasets"], "another data set would have changed"


def _check_transfer(file: Path, name: str, section: dict[str, object], download: Download) -> None:
    """Check the section transfer of a data set, if it has one.

    Raises:
        ValueError: it is wrong, a class is not listed in it, or it names an unknown split.
    """
    if "transfer" not in section:
        return
    transfer, _ = load_transfer(file, name, download.legend.names)
    load_section(file, f"datasets.{name}.splits.{transfer.split}", object)


def _end_of_datasets(text: str, lines: list[str]) -> int:
    """Return the number of lines up to the end of the value of `datasets`."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    node = next(value for key, value in root.value if key.value == "datasets")
    end: int = node.end_mark.line + (node.end_mark.column > 0)
    while end and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return end
