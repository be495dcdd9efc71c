"""The sections of a data set, checked before the first stage that takes long.

Each stage checks its own section when it starts. That may be hours after the first training: at the
second recipe, or when the first network is scored.
"""

from collections.abc import Sequence
from pathlib import Path

from partialseg.acquisition.params import Acquire
from partialseg.checking.experiment import Experiment
from partialseg.core.params import load_section
from partialseg.engine.compute import choose_compute
from partialseg.evaluation.params import Evaluate
from partialseg.labelling.params import Label
from partialseg.source.bands import RGB_NAMES
from partialseg.source.legend import LANDCOVER_AI, Legend
from partialseg.tiling.params import NONE, Tile
from partialseg.training.crops import check_crop
from partialseg.training.losses import resolve_class_weights
from partialseg.training.params import Train
from partialseg.transfer.params import check_tile, load_transfer


def check_sections(file: Path, experiment: Experiment) -> None:
    """Check the sections of the experiment's data set for all its splits, recipes and so on.

    Raises:
        ValueError: a key is missing or unknown, a value is out of range or does not fit the
            classes or the patches.
    """
    section = f"datasets.{experiment.dataset}"
    classes = class_names(file, experiment, experiment.dataset)
    tiles = [
        load_section(file, f"{section}.tile", Tile, f"{section}.splits.{name}")
        for name in experiment.splits
    ]
    without = [tile.test == NONE for tile in tiles]
    if any(without) and not all(without):
        raise ValueError(
            f"{file}: splits: {experiment.splits[without.index(True)]!r} has no test split (test: "
            f"{NONE}) and {experiment.splits[without.index(False)]!r} has one; one table cannot "
            "compare validation scores with test scores"
        )
    for name in experiment.labellings:
        load_section(file, f"{section}.label", Label, f"{section}.labellings.{name}")
    for name in experiment.strategies:
        load_section(file, f"{section}.acquire", Acquire, f"{section}.strategies.{name}")
    for name in experiment.recipes:
        train = load_section(file, f"{section}.train", Train, f"{section}.recipes.{name}")
        try:
            check_train(train, classes, tiles)
        except ValueError as error:
            raise ValueError(f"{file}: {section}.train with recipe {name!r}: {error}") from error
    evaluate = load_section(file, f"{section}.evaluate", Evaluate)
    try:
        evaluate.spatial.object_class(classes)
    except ValueError as error:
        raise ValueError(f"{file}: {section}.evaluate.spatial.{error}") from error
    try:
        choose_compute(evaluate.precision)
    except ValueError as error:
        raise ValueError(f"{file}: {section}.evaluate.{error}") from error
    if experiment.tested_on:
        check_transfer(file, experiment)


def check_transfer(file: Path, experiment: Experiment) -> None:
    """Check the sections transfer of the data set and of those that it is tested on.

    Raises:
        ValueError: a key is missing or unknown, a class is not listed, no common class is left, or
            a split holds out no whole orthophotos.
    """
    common = {}
    for name in (experiment.dataset, *experiment.tested_on):
        transfer, ids = load_transfer(file, name, class_names(file, experiment, name))
        common[name] = {*ids} - {None}
        if name == experiment.dataset:
            continue
        _check_bands(file, experiment, name)
        if not common[name] & common[experiment.dataset]:
            raise ValueError(
                f"{file}: datasets.{name}.transfer: no class in common with {experiment.dataset}"
            )
        split = f"datasets.{name}.splits.{transfer.split}"
        tile = load_section(file, f"datasets.{name}.tile", Tile, split)
        try:
            check_tile(tile)
        except ValueError as error:
            raise ValueError(f"{file}: {split}: {error}") from error


def _check_bands(file: Path, experiment: Experiment, name: str) -> None:
    """Check that a data set has the bands of the experiment's, as far as both sections say it.

    Raises:
        ValueError: it has others.
    """
    own, other = (_band_names(experiment, item) for item in (experiment.dataset, name))
    if own and other and own != other:
        raise ValueError(
            f"{file}: tested_on: the bands of {experiment.dataset} are {', '.join(own)}, and those "
            f"of {name} {', '.join(other)}"
        )


def _band_names(experiment: Experiment, name: str) -> list[str]:
    """Return what the bands of a data set are, [] where only its files may say it."""
    download = experiment.datasets[name].download
    if "legend" not in download:
        return list(RGB_NAMES)
    names = download.get("band_names")
    return list(map(str, names)) if isinstance(names, list | tuple) else []


def class_names(file: Path, experiment: Experiment, name: str) -> tuple[str, ...]:
    """Return the classes of a data set: those of its legend, or LandCover.ai's."""
    if "legend" not in experiment.datasets[name].download:
        return LANDCOVER_AI.names
    return load_section(file, f"datasets.{name}.download.legend", Legend).names


def check_train(train: Train, classes: Sequence[str], tiles: Sequence[Tile]) -> None:
    """Check that class weights fit the classes, and crops the patches.

    Not the precision: other machines may train, by `make repro SCHEDULER=...`.

    Raises:
        ValueError: they do not.
    """
    resolve_class_weights(train.class_weights, dict.fromkeys(classes, 1))
    check_crop(train.crop, min(tile.size for tile in tiles))
