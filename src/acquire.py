"""Stage acquire: choose which pixels of the training patches to label next, up to a fraction."""

import argparse
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partialseg.acquisition.acquired import Acquired, write_acquired
from partialseg.acquisition.by_pixel import (
    balanced_pixels,
    core_set_pixels,
    random_pixels,
    uncertain_pixels,
)
from partialseg.acquisition.by_region import (
    Windows,
    balanced_order,
    core_set_order,
    find_windows,
    random_order,
    take_fitting,
    uncertain_order,
    window_pixels,
)
from partialseg.acquisition.oracle import Oracle
from partialseg.acquisition.params import Acquire
from partialseg.acquisition.pool import Pool
from partialseg.acquisition.prediction import Images, Predictor
from partialseg.acquisition.uncertainty import entropy, margin
from partialseg.atomic import new_folder
from partialseg.checkpoint import BEST, load_checkpoint
from partialseg.command import run
from partialseg.compute import choose_compute
from partialseg.labels import LabelStore, PatchLabels, write_labels
from partialseg.loss import IGNORE_INDEX
from partialseg.params import load_section
from partialseg.patches import PatchStore
from partialseg.visibility import check_fraction, visible_count

Masks = Iterator[NDArray[np.bool_]]


def acquire(
    patches: Path,
    labels: Path,
    run_folder: Path | None,
    out: Path,
    fraction: float,
    params: Acquire,
    seed: int,
) -> Acquired:
    """Add pixels to a label store, up to a fraction of all training pixels, and write it to `out`.

    The best checkpoint of a run that was trained on these labels predicts the patches that the
    strategy chooses from; 'random' needs none.

    Raises:
        ValueError: the fraction leaves nothing to buy, the strategy lacks a run, or patches, labels
            and checkpoint do not fit.
    """
    store = PatchStore(patches)
    train = store.of_split("train")
    label_store = LabelStore(labels, [patch.name for patch in train])
    pool = Pool(store=store, patches=train, labels=label_store, seed=seed)
    budget = new_pixels(pool, labels, fraction)
    predictor = make_predictor(pool, run_folder, params)
    with new_folder(out) as folder:
        masks = choose(pool, predictor, params, budget, folder)
        return write(folder, pool, masks, fraction, budget, params)


def new_pixels(pool: Pool, labels: Path, fraction: float) -> int:
    """Return how many pixels may be bought: floor(fraction x pixels) less those labelled.

    Raises:
        ValueError: the fraction is not in 0 < fraction <= 1, or so many are labelled already.
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
    return Predictor(
        network=compute.place(checkpoint.build()),
        images=Images(pool.store, pool.patches),
        batch_size=params.batch_size,
        workers=params.workers,
        compute=compute,
    )


def choose(
    pool: Pool, predictor: Predictor | None, params: Acquire, budget: int, folder: Path
) -> Masks:
    """Return the new pixels (H, W) of each training patch; large scratch files lie in `folder`."""
    if params.unit == "pixel":
        return choose_pixels(pool, predictor, params, budget, folder)
    windows = find_windows(pool, params.region)
    taken = take_fitting(windows, order_windows(pool, windows, predictor, params), budget)
    return window_pixels(pool, windows, taken)


def choose_pixels(
    pool: Pool, predictor: Predictor | None, params: Acquire, budget: int, folder: Path
) -> Masks:
    """Return the new pixels (H, W) of each training patch, chosen one by one."""
    if predictor is None:
        return random_pixels(pool, budget)
    if params.strategy == "core_set":
        return core_set_pixels(pool, predictor.pixel_features(), budget)
    probabilities = predictor.probabilities()
    if params.strategy == "class_balanced":
        return balanced_pixels(pool, probabilities, budget, folder)
    if params.strategy == "entropy":
        highest = math.log(len(pool.store.summary.class_names))
        return uncertain_pixels(pool, map(entropy, probabilities), highest, budget, folder)
    assert params.strategy == "margin"
    return uncertain_pixels(pool, map(margin, probabilities), 1.0, budget, folder)


def order_windows(
    pool: Pool, windows: Windows, predictor: Predictor | None, params: Acquire
) -> Iterator[int]:
    """Yield the windows that hold an unlabelled pixel, the most wanted first."""
    if predictor is None:
        return random_order(windows)
    if params.strategy == "core_set":
        return core_set_order(pool, windows, predictor.deepest_features())
    probabilities = predictor.probabilities()
    if params.strategy == "class_balanced":
        return balanced_order(pool, windows, probabilities)
    score = entropy if params.strategy == "entropy" else margin
    return uncertain_order(pool, windows, map(score, probabilities))


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
    write_labels(folder, labels, class_names, pool.side, params.strategy, fraction, pool.seed)
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
    write_acquired(folder, acquired)
    return acquired


def count_classes(answers: NDArray[np.int16], classes: int) -> NDArray[np.int64]:
    """Return the number of answers of each class (C,); those without one do not count."""
    return np.bincount(answers[answers != IGNORE_INDEX], minlength=classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--strategy", required=True, help="of datasets.<dataset>.strategies")
    parser.add_argument("--patches", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True, help="of the round before")
    parser.add_argument("--run", type=Path, help="trained on them; strategy random needs none")
    parser.add_argument("--fraction", type=float, required=True, help="labelled in all, at the end")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    section = f"datasets.{args.dataset}"
    params = load_section(
        args.params, f"{section}.acquire", Acquire, f"{section}.strategies.{args.strategy}"
    )
    acquired = acquire(
        args.patches, args.labels, args.run, args.out, args.fraction, params, args.seed
    )
    print(
        f"{acquired.bought} of {acquired.budget} new pixels by {acquired.strategy}, a "
        f"{acquired.unit} at a time, {acquired.without_truth} of them without truth: "
        f"{acquired.counts}"
    )


if __name__ == "__main__":
    run(main)
