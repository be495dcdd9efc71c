"""Stage train: train one architecture on the visible labels of one label fraction."""

import argparse
from pathlib import Path

import torch

from partialseg.checkpoint import BEST, LAST, Checkpoint, save_checkpoint
from partialseg.class_weights import resolve_class_weights
from partialseg.command import run
from partialseg.compute import choose_compute, seed_everything
from partialseg.curves import FOLDER, CurveWriter
from partialseg.data import TruthPatches
from partialseg.epoch_record import EpochRecord
from partialseg.labels import LabelStore
from partialseg.models.build import build_network
from partialseg.params import load_section
from partialseg.patches import PatchStore
from partialseg.train_data import TrainPatches
from partialseg.training import Train, fit


def train(
    architecture: str,
    recipe: str,
    patches: Path,
    labels: Path,
    out: Path,
    params: Train,
    seed: int,
) -> Checkpoint:
    """Train a network; write its best and last checkpoint and its curves to `out`.

    The best epoch is the one of the highest validation mIoU (the first of equals). Returns the
    last checkpoint.

    Raises:
        ValueError: the architecture is unknown, or labels, patches and parameters do not fit.
    """
    store = PatchStore(patches)
    label_store = LabelStore(labels, [patch.name for patch in store.of_split("train")])
    names = store.summary.class_names
    weights = resolve_class_weights(params.class_weights, label_store.summary.counts)
    compute = choose_compute(params.precision)
    seed_everything(seed)
    network = compute.place(
        build_network(architecture, 3, len(names), params.base_channels, params.deep_supervision)
    )
    records = fit(
        network,
        TrainPatches(store, label_store, params.augment, seed),
        TruthPatches(store, store.of_split("val")),
        len(names),
        None if weights is None else torch.tensor(weights, device=compute.device),
        params,
        seed,
        compute,
    )
    history: list[EpochRecord] = []
    with CurveWriter(out / FOLDER) as curves:
        for record in records:
            history.append(record)
            checkpoint = Checkpoint(
                architecture=architecture,
                recipe=recipe,
                base_channels=params.base_channels,
                deep_supervision=params.deep_supervision,
                class_names=list(names),
                palette=list(store.summary.palette),
                label_fraction=label_store.summary.fraction,
                seed=seed,
                class_weights=None if weights is None else list(weights),
                compute=str(compute),
                history=history,
                weights=network.state_dict(),
            )
            save_checkpoint(checkpoint, out / LAST)
            if record.val_miou > max((r.val_miou for r in history[:-1]), default=-1.0):
                save_checkpoint(checkpoint, out / BEST)
            curves.append(record)
            report(record, params.epochs)
    return checkpoint


def report(record: EpochRecord, epochs: int) -> None:
    """Print one line about an epoch."""
    print(
        f"epoch {record.epoch}/{epochs}: loss {record.train_loss:.4f}, "
        f"val loss {record.val_loss:.4f}, val mIoU {record.val_miou:.4f}, "
        f"val accuracy {record.val_accuracy:.4f}, {record.images_per_second:.1f} images/s, "
        f"{record.seconds:.1f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--patches", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    section = f"datasets.{args.dataset}"
    params = load_section(
        args.params, f"{section}.train", Train, f"{section}.recipes.{args.recipe}"
    )
    seed = load_section(args.params, "seed", int)
    train(args.architecture, args.recipe, args.patches, args.labels, args.out, params, seed)


if __name__ == "__main__":
    run(main)
