"""dvc.yaml against the code: which stage depends on what."""

import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from code_of_stage import SRC, code_of_stage
from partialseg.acquisition.params import Acquire, Strategy
from partialseg.checking.experiment import Architecture
from partialseg.core.params import load_section
from partialseg.engine.curves import CURVES
from partialseg.evaluation.runs import AXES, Cell, Run, labels_folder, run_files
from partialseg.labelling.params import Label, Pattern
from partialseg.models.build import ARCHITECTURES
from partialseg.training.params import Train

ROOT = SRC.parent
PARAMS = ROOT / "params.yaml"
PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())
SWEEP = "sweep_"  # a stage of this prefix is another at other label fractions
ACTIVE = "active_"  # ... or on labels that active learning bought
STAGES: dict[str, Any] = {
    name: stage
    for name, stage in PIPELINE["stages"].items()
    if not name.startswith((SWEEP, ACTIVE))
}
# Their deps may name no file too many, for they cost time; the others take a minute.
EXACT = ("tile", "label", "acquire", "train", "evaluate")
DATASETS = tuple(load_section(PARAMS, "datasets", dict[str, object]))
RECIPES = load_section(PARAMS, "recipes", list[str])
SPLITS = load_section(PARAMS, "splits", list[str])
LABELLINGS = load_section(PARAMS, "labellings", list[str])
ITEMS = [
    {"dataset": dataset, "architecture": architecture}
    for dataset, architecture in itertools.product(DATASETS, ARCHITECTURES)
]


def code_deps(stage: str, item: dict[str, str]) -> set[Path]:
    """Return the files that the code dependencies of a stage name, for one item of its matrix."""
    files: set[Path] = set()
    for dep in STAGES[stage]["deps"]:
        if dep.startswith("src/"):
            dep = dep.replace("${architectures[0]}", item["architecture"])
            path = ROOT / re.sub(r"\$\{item\.(\w+)\}", lambda match: item[match[1]], dep)
            files |= files_of(path)
    return files


def files_of(dep: Path) -> set[Path]:
    """Return the files with code that a file or a room is."""
    found = {dep} if dep.is_file() else set(dep.rglob("*.py"))
    return {file for file in found if file.name != "__init__.py"}


@pytest.mark.slow
@pytest.mark.parametrize("item", ITEMS, ids=lambda item: "-".join(item.values()))
@pytest.mark.parametrize("stage", EXACT)
def test_deps_of_stages_that_cost_time_are_exactly_the_code_that_they_import(
    stage: str, item: dict[str, str]
) -> None:
    assert code_deps(stage, item) == code_of_stage(SRC / f"{stage}.py", item)


@pytest.mark.slow
@pytest.mark.parametrize("item", ITEMS, ids=lambda item: "-".join(item.values()))
@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage not in EXACT])
def test_deps_of_the_other_stages_are_the_rooms_that_they_enter(
    stage: str, item: dict[str, str]
) -> None:
    imported = code_of_stage(SRC / f"{stage}.py", item)
    assert imported <= code_deps(stage, item)
    for dep in STAGES[stage]["deps"]:
        if dep.startswith("src/"):
            assert files_of(ROOT / dep) & imported, f"{stage} imports nothing of {dep}"


@pytest.mark.slow
def test_the_walk_sees_what_it_should() -> None:
    """The test above could agree on nothing: some members by hand."""

    def names(stage: str, **item: str) -> set[str]:
        code = code_of_stage(SRC / f"{stage}.py", item)
        return {str(file.relative_to(SRC / "partialseg")) for file in code - {SRC / f"{stage}.py"}}

    assert set(EXACT) < set(STAGES)
    unet = names("train", dataset="sample", architecture="unet")
    assert {"models/unet.py", "models/blocks.py", "loss.py", "confusion.py"} <= unet
    assert not {"models/unetplusplus.py", "figures/curves.py", "comparison/table.py"} & unet
    assert "datasets/landcover_ai/fetch.py" in names("download")


def test_every_architecture_and_data_set_has_its_module() -> None:
    assert get_args(Architecture) == ARCHITECTURES
    modules = {file.stem for file in (SRC / "partialseg" / "models").glob("*.py")}
    shared = {"__init__", "blocks", "build"}
    assert shared < modules
    assert modules - shared == set(ARCHITECTURES)
    packages = (SRC / "partialseg" / "datasets").glob("*/download.py")
    assert {file.parent.name for file in packages} == {"sample", "landcover_ai", "folder"}


def test_each_script_is_a_stage_or_a_tool_and_packages_are_empty() -> None:
    # What people do with what the stages made.
    tools = {"predict", "export", "assess", "verify", "metrics_diff", "repro", "preset", "survey"}
    others = {"transfer"}  # in transfer/dvc.yaml
    assert {file.stem for file in SRC.glob("*.py")} == {*STAGES, *tools, *others}
    shadowed = {file.stem for file in SRC.glob("*.py")} & sys.stdlib_module_names
    assert not shadowed, "a script is found before the module of Python"
    inits = list((SRC / "partialseg").rglob("__init__.py"))
    assert len(inits) >= 3
    assert all(file.read_text() == "" for file in inits)


def test_a_sweep_is_the_same_stages_at_its_fractions() -> None:
    sweeps = {name: stage for name, stage in PIPELINE["stages"].items() if name.startswith(SWEEP)}
    assert list(sweeps) == ["sweep_label", "sweep_train", "sweep_evaluate"]
    for name, stage in sweeps.items():
        original = STAGES[name.removeprefix(SWEEP)]
        assert stage == original | {"matrix": original["matrix"] | {"fraction": "${sweep}"}}


@pytest.mark.parametrize(
    ("stage", "original", "fraction"),
    [
        ("active_label", "label", "${rounds[0].after}"),
        ("active_start", "train", "${rounds[0].after}"),
        ("active_train", "train", "${item.round.fraction}"),
        ("active_evaluate", "evaluate", "${item.round.fraction}"),
    ],
)
def test_active_learning_labels_trains_and_evaluates_as_the_others(
    stage: str, original: str, fraction: str
) -> None:
    expected = json.loads(json.dumps(STAGES[original]).replace("${item.fraction}", fraction))
    found = dict(PIPELINE["stages"][stage])
    matrix = found.pop("matrix")
    assert matrix["labelling"] == "${strategies}"
    assert matrix.keys() - {"round"} == expected.pop("matrix").keys() - {"fraction"} - (
        set() if "${item.architecture}" in json.dumps(found) else {"architecture", "recipe"}
    )
    assert matrix.get("round", "${rounds}") == "${rounds}"
    if stage == "active_label":  # drawn as the first labelling says, into its own folder
        first = "${labellings[0]}"
        drawn = "--labelling ${item.labelling}"
        expected["cmd"] = expected["cmd"].replace(drawn, f"--labelling {first}")
        expected["params"][1] = expected["params"][1].replace("${item.labelling}", first)
    if stage == "active_start":
        assert matrix["architecture"] == ["${architectures[0]}"]
        assert matrix["recipe"] == ["${recipes[0]}"]
    assert found == expected


def test_active_learning_buys_by_the_network_of_the_round_before() -> None:
    round_of = {"labelling": "${item.strategy}", "fraction": "${item.round.after}"}
    first = {"architecture": "${architectures[0]}", "recipe": "${recipes[0]}"}
    cell = Cell(split="${item.split}", **round_of, **first)
    run = Run(cell=cell, seed="${item.seed}")  # type: ignore[arg-type]
    acquire = STAGES["acquire"]
    folder = "data/${item.dataset}/${item.split}/labels/${item.strategy}"
    before, after = (
        f"{folder}-${{item.round.{end}}}-${{item.seed}}" for end in ("after", "fraction")
    )
    assert acquire["deps"][-2:] == [before, f"runs/${{item.dataset}}/{run.path}/best.pt"]
    assert acquire["outs"] == [after]
    for part in (f"--labels {before} ", f"--run runs/${{item.dataset}}/{run.path} "):
        assert part in acquire["cmd"]
    assert acquire["cmd"].endswith(f"--out {after}")


@pytest.mark.slow
@pytest.mark.parametrize("dataset", DATASETS)
def test_params_yaml_has_every_section_that_the_stages_track(dataset: str) -> None:
    tracked = {param for stage in STAGES.values() for param in stage.get("params", [])}
    assert len(tracked) >= 6
    for param in tracked:
        for recipe, split, labelling in itertools.product(RECIPES, SPLITS, LABELLINGS):
            item = {"dataset": dataset, "recipe": recipe, "split": split, "labelling": labelling}
            item["strategy"] = "entropy"
            section = re.sub(r"\$\{item\.(\w+)\}", lambda match, item=item: item[match[1]], param)
            section = section.replace("${labellings[0]}", LABELLINGS[0])
            assert load_section(PARAMS, section, object) is not None


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_recipe_of_a_data_set_gives_parameters_of_a_training(dataset: str) -> None:
    section = f"datasets.{dataset}"
    known = load_section(PARAMS, f"{section}.recipes", dict[str, object])
    assert known.keys() >= set(RECIPES)
    trained = {
        name: load_section(PARAMS, f"{section}.train", Train, f"{section}.recipes.{name}")
        for name in known
    }
    assert trained["reproduction"] == load_section(PARAMS, f"{section}.train", Train)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_strategy_of_a_data_set_gives_parameters_of_acquire(dataset: str) -> None:
    section = f"datasets.{dataset}"
    known = load_section(PARAMS, f"{section}.strategies", dict[str, object])
    found = {
        name: load_section(PARAMS, f"{section}.acquire", Acquire, f"{section}.strategies.{name}")
        for name in known
    }
    assert found["random_regions"] == load_section(PARAMS, f"{section}.acquire", Acquire)
    for name, params in found.items():
        assert name.removesuffix("_pixels").removesuffix("_regions") == params.strategy
        assert name.endswith("_pixels") == (params.unit == "pixel")
    assert {params.strategy for params in found.values()} == set(get_args(Strategy))
    assert not known.keys() & load_section(PARAMS, f"{section}.labellings", dict[str, object])


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_split_of_a_data_set_gives_parameters_of_tile(dataset: str) -> None:
    from partialseg.tiling.params import Tile

    section = f"datasets.{dataset}"
    known = load_section(PARAMS, f"{section}.splits", dict[str, object])
    assert known.keys() > set(SPLITS)
    tiles = {
        name: load_section(PARAMS, f"{section}.tile", Tile, f"{section}.splits.{name}")
        for name in known
    }
    assert tiles["main"] == load_section(PARAMS, f"{section}.tile", Tile)
    assert len({(tile.split, tile.train_truth) for tile in tiles.values()}) == len(tiles) > 1


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_recipes_of_losses_and_methods_add_them_to_tuned(dataset: str) -> None:
    recipes = load_section(PARAMS, f"datasets.{dataset}.recipes", dict[str, dict[str, object]])
    tuned, off = recipes.pop("tuned"), recipes.pop("reproduction")
    assert not off
    added = {
        name: {key: value for key, value in recipe.items() if key not in tuned}
        for name, recipe in recipes.items()
    }
    for name, recipe in recipes.items():
        assert tuned == {key: recipe[key] for key in tuned}, name
    method = {"method", "methods"}
    assert {name: set(of_recipe) for name, of_recipe in added.items()} == {
        "dice": {"loss"},
        "lovasz": {"loss"},
        "pseudo_labels": method,
        "consistency": method,
        "consistency_lovasz": {"loss"} | method,
        "gated_crf": method,
    }
    both = added.pop("consistency_lovasz")
    assert both == added["lovasz"] | added["consistency"]
    for name, of_recipe in added.items():
        assert list(of_recipe.get("methods", of_recipe.get("loss"))) == [name]
        assert of_recipe.get("method", name) == name


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_labelling_of_a_data_set_is_named_as_its_pattern(dataset: str) -> None:
    section = f"datasets.{dataset}"
    known = load_section(PARAMS, f"{section}.labellings", dict[str, object])
    patterns = {
        name: load_section(PARAMS, f"{section}.label", Label, f"{section}.labellings.{name}")
        for name in known
    }
    assert {name: params.pattern for name, params in patterns.items()} == {
        pattern: pattern for pattern in get_args(Pattern)
    }
    assert patterns["random"] == load_section(PARAMS, f"{section}.label", Label)


def test_labels_lie_where_label_writes_them_and_the_page_looks_for_them() -> None:
    run = Run(
        cell=Cell(**{axis: f"${{item.{axis}}}" for axis in AXES}),
        seed="${item.seed}",  # type: ignore[arg-type]
    )
    folder = labels_folder(Path("data/${item.dataset}"), run).as_posix()
    assert STAGES["label"]["outs"] == [folder]
    assert f"--out {folder}" in STAGES["label"]["cmd"]
    assert folder in STAGES["train"]["deps"]
    assert f"--labels {folder}" in STAGES["train"]["cmd"]


@pytest.mark.parametrize("stage", ["train", "evaluate"])
def test_the_files_of_a_run_lie_where_the_run_says(stage: str) -> None:
    cell = Cell(**{axis: f"${{item.{axis}}}" for axis in AXES})
    run = Run(cell=cell, seed="${item.seed}")  # type: ignore[arg-type]
    outs = [out if isinstance(out, str) else next(iter(out)) for out in STAGES[stage]["outs"]]
    files = run_files(Path("runs/${item.dataset}"), Path("metrics/${item.dataset}"), run)
    if stage == "train":
        folder = f"runs/${{item.dataset}}/{run.path}"
        assert outs == [f"{folder}/{name}" for name in ("best.pt", "last.pt", "curves")]
    else:
        (scores,) = STAGES[stage]["metrics"]
        assert {str(files.predictions), str(files.detail)} <= set(outs)
        assert [*scores] == [str(files.scores)]


def test_dvc_plots_the_curves_of_every_recipe() -> None:
    files = [[*plot["y"]] for entry in PIPELINE["plots"] for plot in entry.values()]
    names = [curve.replace("/", "_") for curve in CURVES]
    assert files == [[f"plots/curves/{recipe}/{name}.csv" for recipe in RECIPES] for name in names]
    columns = {
        column for entry in PIPELINE["plots"] for p in entry.values() for column in p["y"].values()
    }
    assert columns == {"${architectures}"}


def test_landcover_ai_has_the_settings_of_the_report() -> None:
    from partialseg.tiling.params import Tile

    train = load_section(PARAMS, "datasets.landcover_ai.train", Train)
    assert (train.learning_rate, train.weight_decay) == (1e-5, 1e-4)
    assert (train.batch_size, train.epochs, train.base_channels) == (32, 12, 64)
    assert train.class_weights == (0.66, 1.27, 1.12, 1.03, 1.91)
    assert train.precision == "auto"
    tile = load_section(PARAMS, "datasets.landcover_ai.tile", Tile)
    assert (tile.source_size, tile.size, tile.split) == (512, 384, "official")
    assert load_section(PARAMS, "seeds", list[int]) == [42]
    assert load_section(PARAMS, "splits", list[str]) == ["main"]
    assert load_section(PARAMS, "labellings", list[str]) == ["random"]
    assert load_section(PARAMS, "architectures", list[str]) == ["unet", "unetplusplus"]


@pytest.mark.parametrize("stage", ["download", "tile", "label", "train"])
def test_what_takes_long_is_restored_from_the_run_cache(stage: str) -> None:
    """DVC keeps no stage in it that has an uncached output, unless that is a plot or a metric."""
    assert all(isinstance(out, str) for out in STAGES[stage]["outs"])


def keys_in(section: object) -> set[str]:
    """Return all keys of a section, at any depth."""
    if isinstance(section, list):
        return set().union(*map(keys_in, section))
    if not isinstance(section, dict):
        return set()
    return {*section}.union(*map(keys_in, section.values()))


def test_no_stage_is_restored_with_patches_of_another_size() -> None:
    """DVC 3.67 leaves `size` and `nfiles` out of the key of its run cache, within sections."""
    assert "datasets.${item.dataset}.tile.size" in STAGES["tile"]["params"]
    assert STAGES["check"]["outs"] == [{"data/checked.txt": {"persist": True}}]
    for name, sections in yaml.safe_load((ROOT / "params.yaml").read_text())["datasets"].items():
        others = {key: value for key, value in sections.items() if key not in {"tile", "splits"}}
        assert not {"size", "nfiles"} & keys_in(others), name
        assert "nfiles" not in sections["tile"], name
