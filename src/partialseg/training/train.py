"""The stage train: from patches and visible labels to checkpoints and curves."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

from partialseg.engine.batches import MEAN, STD, TruthPatches
from partialseg.engine.checkpoint import Checkpoint, RunId
from partialseg.engine.compute import (
    Compute,
    choose_algorithms,
    choose_compute,
    out_of_memory_named,
    seed_everything,
    unused_gpu,
)
from partialseg.engine.curves import FOLDER, CurveWriter, EpochRecord
from partialseg.engine.ranks import ALONE, Ranks
from partialseg.labelling.labels import LabelStore, LabelSummary
from partialseg.models.build import build_network
from partialseg.tiling.patches import PatchStore, distinct
from partialseg.training.data import TrainPatches
from partialseg.training.learner import Learner
from partialseg.training.loop import (
    advice_on_memory,
    fit,
    is_finished,
    is_kept,
    scored_at_a_time,
)
from partialseg.training.losses import resolve_class_weights
from partialseg.training.memory import (
    check_auto,
    most_images,
    most_parts,
    try_scoring,
    try_step,
    with_parts,
)
from partialseg.training.params import Train
from partialseg.training.resume import ResumeFolder, commit_of, digest_of, signed, way_of


@dataclass(frozen=True, kw_only=True)
class TrainFolders:
    """The folders of a training: its inputs, its outputs, and where it resumes from."""

    patches: Path
    labels: Path
    out: Path
    resume: Path


def train(run: RunId, folders: TrainFolders, params: Train, ranks: Ranks = ALONE) -> Checkpoint:
    """Train a network; write its best and last checkpoint and its curves to folders.out.

    The best epoch is the one of the highest validation mIoU (the first of equals), or the last one
    where params.select says so. An interrupted training is resumed from its last epoch, saved in
    folders.resume. Of several ranks only the first writes. Returns the last checkpoint.

    Raises:
        ValueError: the architecture is unknown, labels, patches and parameters do not fit, or the
            training fails.
    """
    store = PatchStore(folders.patches)
    store.check_truth()
    label_store = LabelStore(folders.labels, [patch.name for patch in store.of_split("train")])
    train_patches = TrainPatches(store, label_store, params.augment, run.seed, params.crop)
    untrained = _untrained(run, store, label_store.summary, params)
    with ExitStack() as stack:
        resume = last = None
        if ranks.first:
            mark = _mark(untrained, folders, params)
            resume = stack.enter_context(ResumeFolder(folders.resume, mark))
            untrained = replace(untrained, fingerprint=mark)
            last = resume.load()
        last = ranks.share(last)
        # Before compute is chosen: a machine with a GPU may have trained, and this one have none.
        if last and is_finished(last.history, params):
            return take_over(last, resume, folders.out) if resume else last
        compute = _choose_compute(params)
        if ranks.first:
            print("\n".join([f"trains on {compute}", *unused_gpu()]), flush=True)
            _tell_unseen(label_store.summary.counts)
        untrained = replace(untrained, compute=str(compute))
        last = ranks.share(_begin(last, untrained, _way(params, compute, ranks), resume))
        with out_of_memory_named(advice_on_memory(params)):
            params, learner = _learner(last, train_patches, params, compute, ranks)
        last = replace(last, accumulation=params.parts)
        if last.state:
            learner.restore(last.state)
        val_patches = TruthPatches(store, store.of_split("val"))
        records = fit(learner, train_patches, val_patches, params, run.seed, last.history)
        return train_and_save(records, learner, last, resume, folders.out, params)


def _untrained(run: RunId, store: PatchStore, labels: LabelSummary, params: Train) -> Checkpoint:
    """Return the checkpoint of a run before its first epoch, without weights, computed nowhere."""
    weights = resolve_class_weights(params.class_weights, labels.counts)
    return Checkpoint(
        **asdict(run),
        base_channels=params.base_channels,
        deep_supervision=params.deep_supervision,
        class_names=list(store.summary.class_names),
        palette=list(store.summary.palette),
        mean=MEAN,
        std=STD,
        imagery=store.summary.imagery,
        patch_size=store.summary.size,
        source_size=store.summary.source_size,
        ground_sampling_distances=distinct(patch.gsd for patch in store.of_split("train")),
        label_fraction=labels.fraction,
        labelled_share=labels.labelled_share,
        clicks=labels.clicks,
        annotation_seconds=labels.seconds,
        class_weights=None if weights is None else list(weights),
        compute="",
        accumulation=0,
        commit=commit_of(Path(__file__).parents[3]),
    )


def _mark(untrained: Checkpoint, folders: TrainFolders, params: Train) -> str:
    """Return a digest of what is trained, on what and how; a finished training must have the same.

    Without the commit, as the digest covers the code itself.
    """
    settings = {"run": asdict(replace(untrained, commit="")), "train": asdict(params)}
    return digest_of(settings, {"patches": folders.patches, "labels": folders.labels})


def _choose_compute(params: Train) -> Compute:
    choose_algorithms(params.deterministic)
    compute = choose_compute(params.precision)
    check_auto(params, compute)
    compute.use_threads(params.threads)
    return compute


def _way(params: Train, compute: Compute, ranks: Ranks) -> str:
    """Return the way of computing: a training that goes on must have the same."""
    # Any number of processes may go on where `auto` began, and, as a rented machine may come back
    # with another GPU, any of a kind.
    count = "auto" if params.processes == "auto" else ranks.count
    return f"{compute.kind}, processes: {count}"


def _begin(
    last: Checkpoint | None, untrained: Checkpoint, way: str, resume: ResumeFolder | None
) -> Checkpoint:
    """Return the checkpoint from which to train: the last one, if it was computed in this way."""
    if last and way_of(last) == way:
        return last
    if last and resume:
        resume.begin_again(f"{resume}: computed by {way_of(last)}, not by {way}")
    return replace(untrained, fingerprint=signed(untrained.fingerprint, way))


def _learner(
    last: Checkpoint, train_patches: TrainPatches, params: Train, compute: Compute, ranks: Ranks
) -> tuple[Train, Learner]:
    """Return the parameters with the parts of a batch that fit into memory, and a new learner."""
    most = most_parts(train_patches, params, ranks)
    images = most_images(train_patches, params, ranks)
    scored = scored_at_a_time(params, train_patches.crops_per_patch)

    def made(params: Train, ranks: Ranks) -> Learner:
        network = initial_network(last.architecture, len(last.class_names), params, last.seed)
        weights = last.class_weights
        on_device = None if weights is None else torch.tensor(weights, device=compute.device)
        return Learner(compute.place(network), on_device, params, compute, ranks, last.seed)

    def trial(params: Train) -> None:
        learner = made(params, ALONE)
        try_step(learner, train_patches.side, images)
        try_scoring(learner, last.patch_size, scored, params.parts)

    params = with_parts(params, last.accumulation, ranks, most, trial)
    compute.forget_peak_memory()  # that of the trials
    return params, made(params, ranks)


def _tell_unseen(visible_counts: Mapping[str, int]) -> None:
    """Print which classes nobody has labelled."""
    for name, count in visible_counts.items():
        if not count:
            print(f"{name}: no visible training pixel, so that it cannot be learned", flush=True)


def initial_network(architecture: str, num_classes: int, params: Train, seed: int) -> nn.Module:
    """Return a network whose initial weights come from the seed, on the CPU."""
    seed_everything(seed)
    return build_network(
        architecture, 3, num_classes, params.base_channels, params.deep_supervision
    )


def train_and_save(
    records: Iterable[EpochRecord],
    learner: Learner,
    last: Checkpoint,
    resume: ResumeFolder | None,
    out: Path,
    params: Train,
) -> Checkpoint:
    """Train by drawing the records, save every epoch after `last`, then write the outputs.

    A rank without a resume folder only trains.
    """
    if resume is None:
        for _ in records:
            pass
        return last
    if last.history:
        print(f"going on after epoch {last.epoch}/{params.epochs}", flush=True)
    with CurveWriter(out / FOLDER) as curves:
        for record in last.history:
            curves.append(record)
        for record in records:
            last = replace(
                last,
                history=[*last.history, record],
                weights=learner.scored.state_dict(),
                state=learner.state(),
            )
            resume.save(last, best=is_kept(last.history, params))
            curves.append(record)
            print_epoch(record, params.epochs)
    return resume.publish(last, out)


def take_over(last: Checkpoint, resume: ResumeFolder, out: Path) -> Checkpoint:
    """Write the outputs of a training that is finished."""
    print(f"trained already, by the same parameters, code and data: {resume} has it")
    with CurveWriter(out / FOLDER) as curves:
        for record in last.history:
            curves.append(record)
    return resume.publish(last, out)


def print_epoch(record: EpochRecord, epochs: int) -> None:
    """Print one line about an epoch."""
    skipped = f", {record.skipped_steps} steps overflowed" if record.skipped_steps else ""
    print(
        f"epoch {record.epoch}/{epochs}: loss {record.train_loss:.4f}, "
        f"val loss {record.val_loss:.4f}, val mIoU {record.val_miou:.4f}, "
        f"val accuracy {record.val_accuracy:.4f}, {record.images_per_second:.1f} images/s "
        f"({record.loader_share:.1%} waiting for patches), {record.seconds:.1f} s{skipped}",
        flush=True,
    )
