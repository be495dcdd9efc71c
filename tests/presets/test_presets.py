"""Presets: small made files in the layout of each real archive, copied into params.yaml and cut."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archive_layouts import LAYOUTS, SIDE, make_layout
from code_of_stage import SRC
from partialseg.checking.check import check
from partialseg.core.params import load_section, read_yaml
from partialseg.datasets.download import download
from partialseg.presets.add import PRESETS, add_preset, preset_names
from partialseg.presets.section import section_text
from partialseg.source.index import read_index
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import Patch, PatchStore
from partialseg.tiling.tile import tile


def added(folder: Path, preset: str, files: Path) -> Path:
    """Return a copy of params.yaml with a preset as the data set `added`."""
    params = folder / "params.yaml"
    shutil.copy(SRC.parent / "params.yaml", params)
    add_preset(params, preset, "added", str(files))
    return params


def cut(folder: Path, params: Path, **changed: Any) -> list[Patch]:
    """Download and cut the data set `added`, by cells of SIDE px."""
    download("added", params, folder / "source")
    how = load_section(params, "datasets.added.tile", Tile, "datasets.added.splits.main")
    return tile(folder / "source", folder / "patches", replace(how, **changed))


@pytest.mark.slow
@pytest.mark.parametrize("preset", LAYOUTS)
def test_a_preset_reads_the_layout_of_its_archive(tmp_path: Path, preset: str) -> None:
    layout, mask, wanted, rows = LAYOUTS[preset]
    make_layout(tmp_path / "files", layout, mask)
    if preset == "landcover_ai_100":
        for name in ("train", "val", "test"):
            (tmp_path / "files" / f"{name}.txt").write_text("\n".join(wanted[name]) + "\n")
    params = added(tmp_path, preset, tmp_path / "files")
    patches = cut(tmp_path, params, source_size=SIDE, size=SIDE)
    of_split = {
        name: {patch.orthophoto for patch in patches if patch.split == name}
        for name in ("train", "val", "test", "none")
    }
    assert of_split["none"] == set()
    for name in wanted.keys() & of_split.keys():
        assert of_split[name] == wanted[name]
    assert {*wanted["names"].split()} <= {patch.orthophoto for patch in patches}
    assert len(patches) == sum(mask is not None for mask in layout.values())
    assert [*patches[0].counts, patches[0].no_truth] == [count * SIDE for count in rows]
    gsd = read_index(tmp_path / "source").reading.gsd
    assert {patch.gsd for patch in patches} == {gsd}


def test_every_preset_has_a_layout_here() -> None:
    assert preset_names() == sorted(LAYOUTS)
    for name in preset_names():
        lines = (PRESETS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 45
        assert lines[0].startswith("# ")
        if name != "folder":
            said = [line.split(":")[0] for line in lines]
            assert {"# Size", "# Licence", "# Cite", "# Get it"} <= set(said)


@pytest.mark.slow
@pytest.mark.parametrize("preset", LAYOUTS)
def test_a_preset_is_a_whole_section_that_check_accepts(tmp_path: Path, preset: str) -> None:
    params = added(tmp_path, preset, tmp_path)
    text = params.read_text(encoding="utf-8")
    params.write_text(text.replace("dataset: sample ", "dataset: added ", 1), encoding="utf-8")
    known = read_yaml(params)["datasets"]
    for split in known["added"]["splits"]:
        params.write_text(params.read_text().replace("splits: [main]", f"splits: [{split}]", 1))
        if split != "drawn":
            check(params, tmp_path / "note.txt")
    # What a preset does not say is as in the section `folder`.
    own = {"download", "tile", "splits", "transfer"}
    assert known["added"].keys() == known["folder"].keys()
    for key in known["folder"].keys() - own:
        expected = known["folder"][key]
        if key == "evaluate":
            objects = known["added"]["evaluate"]["spatial"]["objects"]
            expected = expected | {"spatial": expected["spatial"] | {"objects": objects}}
        assert known["added"][key] == expected


def test_the_bands_of_vaihingen_have_their_names(tmp_path: Path) -> None:
    layout, mask, _, _ = LAYOUTS["vaihingen"]
    make_layout(tmp_path / "files", layout, mask)
    cut(tmp_path, added(tmp_path, "vaihingen", tmp_path / "files"))
    reading = read_index(tmp_path / "source").reading
    assert reading.band_names == ("nir", "red", "green")
    store = PatchStore(tmp_path / "patches")  # areas smaller than a cell are kept
    assert {patch.no_truth for patch in store.patches} == {512 * 512 - 6 * SIDE}


def test_a_class_may_be_called_as_a_place_holder_of_the_section() -> None:
    preset = (PRESETS / "loveda.yaml").read_text().replace("objects: building", "objects: CROPLAND")
    text = section_text("mine", preset, Path("loveda.yaml"))
    assert "objects: 'CROPLAND'}" in text
    assert "crop: 192" in text and "&mine_tuned" in text
