"""Acquire labels up to a fraction: the label store of the next round, and a summary of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass as checked_dataclass

from partialseg.acquisition.params import Acquire, Strategy, Unit
from partialseg.acquisition.pool import Oracle, Pool
from partialseg.acquisition.prediction import Images, Predictor
from partialseg.acquisition.strategies import choose
from partialseg.core.classes import IGNORE_INDEX
from partialseg.core.files import new_folder
from partialseg.core.params import STRICT
from partialseg.engine.checkpoint import BEST, load_checkpoint
from partialseg.engine.compute import choose_compute
from partialseg.labelling.labels import LabelOrigin, LabelStore, PatchLabels, write_labels
from partialseg.tiling.patches import PatchStore
from partialseg.visibility import check_fraction, visible_count

SUMMARY = "acquisition.json"


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class Acquired:
    """How the new pixels of a label store were chosen, and how many they are.

    labelled is the number of pixels labelled before, budget that of new pixels that the label
    fraction allows, and bought that of those chosen. counts has the chosen pixels of each class;
    without_truth counts those that have no truth and are paid for all the same. region is the side
    of the windows in px, 0 if pixels were chosen one by one.
    """

    strategy: Strategy
    unit: Unit
    region: int
    fraction: float
    labelled: int
    budget: int
    bought: int
    without_truth: int
    counts: dict[str, int]


_SUMMARY = TypeAdapter(Acquired)


@dataclass(frozen=True, kw_only=True)
class PreviousRound:
    """The folders of the labels so far and of a run that was trained on them, if there is one."""

    labels: Path
    run: Path | None


def acquire(
    patches: Path,
    previous: PreviousRound,
    out: Path,
    fraction: float,
    params: Acquire,
    seed: int,
) -> Acquired:
    """Add pixels to a label store, up to a fraction of all training pixels, and write it to `out`.

    The best checkpoint of a run that was trained on these labels predicts the patches that the
    strategy chooses from; 'random' needs none.

    Raises:
        ValueError: the fraction allows no new pixel, the strategy lacks a run, or patches, labels
            and checkpoint do not fit together.
    """
    store = PatchStore(patches)
    train = store.of_split("train")
    label_store = LabelStore(previous.labels, [patch.name for patch in train])
    pool = Pool(store=store, patches=train, labels=label_store, seed=seed)
    budget = new_pixels(pool, previous.labels, fraction)
    predictor = make_predictor(pool, previous.run, params)
    with new_folder(out) as folder:
        masks = choose(pool, predictor, params, budget, folder)
        return write(folder, pool, masks, fraction, budget, params)


def new_pixels(pool: Pool, labels: Path, fraction: float) -> int:
    """Return the label budget in new pixels: floor(fraction x pixels) less those labelled.

    Raises:
        ValueError: the fraction is not in 0 < fraction <= 1, or allows no new pixel.
    """
    check_fraction(fraction)
    total, labelled = visible_count(fraction, pool.pixels), pool.labels.summary.visible
    if total <= labelled:
        raise ValueError(
            f"{labels}: {labelled} of {pool.pixels} pixels are labelled already, label_fraction "
            f"{fraction} allows {total}; take a larger fraction"
        )
    return total - labelled


def make_predictor(pool: Pool, run_folder: Path | None, params: Acquire) -> Predictor | None:
    """Return the network of a run with the patches to predict; None if the strategy needs none.

    Raises:
        ValueError: there is no run, or it was trained on other classes.
    """
    if params.strategy == "random":
        return None
    if run_folder is None:
        raise ValueError(
            f"acquire: strategy {params.strategy} chooses by a trained network and got no run; "
            "train on the labels so far and give its folder, or take the strategy random"
        )
    checkpoint = load_checkpoint(run_folder / BEST)
    if tuple(checkpoint.class_names) != pool.store.summary.class_names:
        raise ValueError(
            f"{run_folder / BEST}: trained on classes {checkpoint.class_names}, but the patches "
            f"hold {list(pool.store.summary.class_names)}"
        )
    compute = choose_compute(params.precision)
    compute.use_threads(params.threads)
    return Predictor(
        network=compute.place(checkpoint.build()),
        images=Images(pool.store, pool.patches),
        batch_size=params.batch_size,
        workers=params.workers,
        compute=compute,
    )


def write(
    folder: Path,
    pool: Pool,
    masks: Iterable[NDArray[np.bool_]],
    fraction: float,
    budget: int,
    params: Acquire,
) -> Acquired:
    """Write the labels so far and the new pixels (H, W) of each training patch, and a summary."""
    oracle, class_names = Oracle(pool.store), pool.store.summary.class_names
    labels: list[PatchLabels] = []
    bought, counts = 0, np.zeros(len(class_names), np.int64)
    for place, (patch, new) in enumerate(zip(pool.patches, masks, strict=True)):
        visible = ~pool.unlabelled(place) | new
        answers = oracle.ask(patch, visible)
        labels.append(
            PatchLabels(
                name=patch.name,
                bits=np.packbits(visible),
                visible=int(visible.sum()),
                counts=tuple(count_classes(answers, len(class_names)).tolist()),
                clicks=None,
                seconds=None,
                short=(0,) * len(class_names),
            )
        )
        bought += int(new.sum())
        counts += count_classes(answers[new], len(class_names))
    origin = LabelOrigin(pattern=params.strategy, fraction=fraction, seed=pool.seed)
    write_labels(folder, labels, class_names, pool.side, origin)
    acquired = Acquired(
        strategy=params.strategy,
        unit=params.unit,
        region=params.region if params.unit == "region" else 0,
        fraction=fraction,
        labelled=pool.labels.summary.visible,
        budget=budget,
        bought=bought,
        without_truth=bought - int(counts.sum()),
        counts=dict(zip(class_names, counts.tolist(), strict=True)),
    )
    (folder / SUMMARY).write_bytes(_SUMMARY.dump_json(acquired, indent=1))
    return acquired


def count_classes(answers: NDArray[np.int16], classes: int) -> NDArray[np.int64]:
    """Return the number of answers of each class (C,), without those that are IGNORE_INDEX."""
    return np.bincount(answers[answers != IGNORE_INDEX], minlength=classes)
