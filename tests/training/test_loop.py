import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from code_of_stage import SRC
from partialseg.core.params import load_section
from partialseg.engine.batches import TruthPatches, truth_loader
from partialseg.engine.compute import Compute, seed_everything
from partialseg.engine.curves import EpochRecord
from partialseg.engine.ranks import ALONE
from partialseg.engine.scoring import Scorer
from partialseg.labelling.label import label
from partialseg.labelling.labels import LabelStore
from partialseg.models.build import build_network
from partialseg.tiling.patches import PatchStore
from partialseg.training import loop as training
from partialseg.training.data import Shown, TrainPatches
from partialseg.training.learner import Learner
from partialseg.training.loop import Trained, best_epoch, fit, is_finished, is_kept, train_epoch
from partialseg.training.params import Train
from small_labels import label_params
from small_run import CPU, LIVELY, METHODS, Lookup, isolate, record, red_image, train_params


class SmallFit:
    """A network and its data; records() trains it."""

    def __init__(
        self,
        patches: Path,
        labels: Path,
        architecture: str = "unet",
        seed: int = 1,
        class_weights: Tensor | None = None,
        compute: Compute = CPU,
        **changes: Any,
    ) -> None:
        store = PatchStore(patches)
        names = [patch.name for patch in store.of_split("train")]
        self.params = train_params(**changes)
        self.seed = seed
        seed_everything(seed)
        self.network = compute.place(
            build_network(
                architecture, 3, 3, self.params.base_channels, self.params.deep_supervision
            )
        )
        self.learner = Learner(self.network, class_weights, self.params, compute, ALONE, 3)
        self.train_patches = TrainPatches(
            store, LabelStore(labels, names), self.params.augment, seed, self.params.crop
        )
        self.val_patches = TruthPatches(store, store.of_split("val"))

    def records(self) -> Iterator[EpochRecord]:
        return fit(self.learner, self.train_patches, self.val_patches, self.params, self.seed)


@pytest.fixture
def make(
    make_patches: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., SmallFit]:
    isolate(monkeypatch, tmp_path)
    patches = make_patches(columns=5)
    label(patches, tmp_path / "labels", 0.5, 42, label_params())

    def small_fit(**changes: Any) -> SmallFit:
        return SmallFit(patches, tmp_path / "labels", **changes)

    return small_fit


def without_time(record: EpochRecord) -> dict[str, float]:
    return {
        name: value
        for name, value in asdict(record).items()
        if name not in ("seconds", "images_per_second", "loader_share", "peak_memory_mib")
    }


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["unet", "unetplusplus"])
def test_training_learns_what_can_be_learnt(
    make: Callable[..., SmallFit], architecture: str
) -> None:
    small = make(
        architecture=architecture,
        seed=2,
        base_channels=4,
        epochs=20,
        batch_size=1,
        learning_rate=0.02,
    )
    records = [*small.records()]
    assert records[-1].train_loss < 0.5 * records[0].train_loss
    assert records[-1].val_loss < records[0].val_loss
    assert records[-1].val_miou > 0.6


@pytest.mark.parametrize(
    ("sampling", "often"), [("patches", [1, 0, 1, 1]), ("pixels", [20, 0, 1, 300])]
)
@pytest.mark.parametrize("method", ["none", "gated_crf"])
def test_sampling_says_how_often_a_patch_comes(
    make: Callable[..., SmallFit],
    monkeypatch: pytest.MonkeyPatch,
    sampling: str,
    often: list[int],
    method: str,
) -> None:
    asked: list[Any] = []

    def no_batches(*args: Any) -> None:
        asked.append(args)
        raise InterruptedError

    monkeypatch.setattr(TrainPatches, "visible_pixels", [20, 0, 1, 300])
    monkeypatch.setattr(training, "EpochBatches", no_batches)
    with pytest.raises(InterruptedError):
        next(make(sampling=sampling, method=method, batch_size=2).records())
    shown = Shown(often=often, unlabelled=method != "none")
    assert asked == [(shown, 2, 1, 1, ALONE)]


@pytest.mark.slow
def test_deep_supervision_learns_too(make: Callable[..., SmallFit]) -> None:
    small = make(architecture="unetplusplus", deep_supervision=True, epochs=6, learning_rate=0.02)
    records = [*small.records()]
    assert records[-1].train_loss < 0.8 * records[0].train_loss


@pytest.mark.slow
def test_equal_seeds_give_equal_bits(make: Callable[..., SmallFit]) -> None:
    first, second = make(augment=LIVELY), make(augment=LIVELY, workers=2)
    records = [[without_time(record) for record in run.records()] for run in (first, second)]
    assert records[0] == records[1]
    assert same_weights(first.network, second.network)


def test_other_seeds_give_other_runs(make: Callable[..., SmallFit]) -> None:
    first, second = make(seed=1), make(seed=2)
    records = [[without_time(record) for record in run.records()] for run in (first, second)]
    assert records[0] != records[1]
    assert not same_weights(first.network, second.network)


def test_the_seed_alone_changes_the_order_of_training(make: Callable[..., SmallFit]) -> None:
    first, second = make(seed=1), make(seed=2)
    second.network.load_state_dict(first.network.state_dict())
    losses = [[record.train_loss for record in run.records()] for run in (first, second)]
    assert losses[0] != losses[1]


def test_there_is_a_record_after_each_epoch(make: Callable[..., SmallFit]) -> None:
    small = make(epochs=3)
    for epoch, made in enumerate(small.records(), start=1):
        assert made.epoch == epoch
        # 5 patches in 3 batches: BatchNorm has seen 3 batches an epoch, none while scoring.
        assert small.network.stem[1].num_batches_tracked == 3 * epoch
        assert 0 < made.seconds < 60
        assert made.images_per_second >= 5 / made.seconds
        assert 0 < made.loader_share < 1
    assert epoch == 3


def test_a_record_has_the_scores_of_the_whole_validation_split(
    make: Callable[..., SmallFit],
) -> None:
    weights = torch.tensor([0.5, 1.0, 3.0])
    small = make(class_weights=weights)
    for made in small.records():
        batches = truth_loader(small.val_patches, 2, 0)
        expected = Scorer(num_classes=3, class_weights=weights, compute=CPU).score(
            small.network, batches
        )
        assert made.val_loss == expected.loss
        assert made.val_miou == expected.confusion.miou()
        assert made.val_accuracy == expected.confusion.accuracy()
        assert made.val_batch_miou == expected.batch_miou
        assert expected.confusion.counts.sum() == 5 * 32 * 32


def test_bfloat16_trains_on_the_cpu(make: Callable[..., SmallFit]) -> None:
    mixed = make(compute=Compute(torch.device("cpu"), torch.bfloat16))
    full = make()
    ours, theirs = next(mixed.records()), next(full.records())
    assert all(weight.dtype == torch.float32 for weight in mixed.network.parameters())
    assert ours.train_loss != theirs.train_loss
    assert ours.train_loss == pytest.approx(theirs.train_loss, rel=0.05)


# One epoch by hand: red 0 is class 0 with probability 3/4, red 1 is class 1.
TABLE = torch.tensor([[0.75, 0.25], [0.25, 0.75]]).log().tolist()
RIGHT, WRONG = math.log(4 / 3), math.log(4)
FIRST = (red_image([[0, 0], [1, 1]]), torch.tensor([[0, -1], [-1, 1]], dtype=torch.int16))
SECOND = (red_image([[1, 0], [0, 0]]), torch.tensor([[0, -1], [-1, -1]], dtype=torch.int16))


def one_epoch(
    *patches: tuple[Tensor, Tensor], batch_size: int = 1, **changes: Any
) -> tuple[Trained, int]:
    """Train an epoch of a Lookup; return what it brought and the number of reported steps."""
    params = train_params(epochs=1, **changes)
    learner = Learner(Lookup(TABLE), None, params, CPU, ALONE, 3)
    done: list[int] = []
    batches = DataLoader(patches, batch_size)  # type: ignore[arg-type]
    return train_epoch(learner, batches, 1, params, lambda: done.append(1)), len(done)


def test_the_loss_of_an_epoch_is_the_mean_of_its_batches() -> None:
    trained, steps = one_epoch(FIRST, SECOND, learning_rate=1e-30)
    assert trained.loss == pytest.approx((RIGHT + WRONG) / 2, rel=1e-5)
    assert (steps, trained.skipped_steps) == (2, 0)
    assert 0 < trained.loader_seconds < 10


def test_a_step_is_reported_for_each_batch() -> None:
    assert one_epoch(FIRST, SECOND, FIRST, batch_size=2)[1] == 2


class Rates(Learner):
    """A learner that only notes the learning rates it is given."""

    def __init__(self, params: Train) -> None:
        super().__init__(Lookup(TABLE), None, params, CPU, ALONE, 3)
        self.rates: list[float] = []

    def step(
        self, images: Tensor, labels: Tensor, learning_rate: float, step: int = 0, steps: int = 1
    ) -> tuple[Tensor, Tensor]:
        self.rates.append(learning_rate)
        return torch.tensor(1.0), torch.tensor(1.0)


def test_the_schedule_runs_over_all_epochs() -> None:
    params = train_params(epochs=2, learning_rate=8.0, schedule="cosine")
    learner = Rates(params)
    batches = DataLoader([FIRST, SECOND], 1)  # type: ignore[arg-type]
    for epoch in (1, 2):
        train_epoch(learner, batches, epoch, params, lambda: None)
    root = math.sqrt(0.5)
    expected = [8.0, 4 * (1 + root), 4.0, 4 * (1 - root)]
    assert learner.rates == pytest.approx(expected)


def history_of(*mious: float) -> list[EpochRecord]:
    return [record(epoch, val_miou=miou) for epoch, miou in enumerate(mious, start=1)]


@pytest.mark.parametrize(
    ("mious", "best"), [([0.4], 1), ([0.2, 0.5, 0.5, 0.3], 2), ([0.0, 0.0], 1), ([0.1, 0.2], 2)]
)
def test_the_best_epoch_is_the_first_of_the_highest_miou(mious: list[float], best: int) -> None:
    assert best_epoch(history_of(*mious)) == best


def test_what_pseudo_labels_keep_is_of_their_second_round() -> None:
    history = history_of(0.5, 0.9, 0.3, 0.4, 0.4, 0.2)
    kept = {
        method: [
            epoch
            for epoch in range(1, 7)
            if is_kept(history[:epoch], train_params(epochs=6, method=method))
        ]
        for method in ("none", "pseudo_labels")
    }
    assert METHODS.pseudo_labels.first_round == 0.5
    assert kept == {"none": [1, 2], "pseudo_labels": [1, 2, 4]}


@pytest.mark.parametrize(
    ("mious", "patience", "over"),
    [
        ([], 0, False),
        ([], 1, False),
        ([0.1] * 4, 0, False),
        ([0.1] * 5, 0, True),
        ([0.3], 1, False),
        ([0.3, 0.3], 1, True),
        ([0.3, 0.4], 1, False),
        ([0.3, 0.2, 0.1], 3, False),
        ([0.3, 0.2, 0.1, 0.2], 3, True),
        ([0.1, 0.2, 0.3, 0.4, 0.5], 3, True),
    ],
)
def test_training_is_finished_after_all_epochs_or_without_progress(
    mious: list[float], patience: int, over: bool
) -> None:
    assert is_finished(history_of(*mious), train_params(epochs=5, patience=patience)) is over


def test_weights_that_blow_up_in_the_last_step_are_not_kept(
    make: Callable[..., SmallFit],
) -> None:
    small = make(learning_rate=1e30, batch_size=5, epochs=1)  # one step: its own loss is finite
    with pytest.raises(ValueError, match=r"^epoch 1: the validation loss is nan; .*learning_rate"):
        list(small.records())


def test_training_stops_early(make: Callable[..., SmallFit]) -> None:
    # So small a rate changes no weight, so that no epoch is better than the first ...
    small = make(epochs=9, patience=2, learning_rate=1e-30, weight_decay=0.0)
    # ... once BatchNorm's statistics, which do change, are those of the first one.
    for module in small.network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0
    assert [record.epoch for record in small.records()] == [1, 2, 3]


def test_training_goes_on_after_a_history(make: Callable[..., SmallFit]) -> None:
    small = make(epochs=3)
    history = history_of(0.1, 0.2)
    records = fit(small.learner, small.train_patches, small.val_patches, small.params, 1, history)
    assert [record.epoch for record in records] == [3]
    assert len(history) == 2


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
    ],
)
def test_exhausted_memory_names_the_parameters(
    make: Callable[..., SmallFit], error: Exception
) -> None:
    small = make(batch_size=4)

    def exhausted(*_: object) -> None:
        raise error

    small.network.register_forward_pre_hook(exhausted)
    with pytest.raises(
        ValueError,
        match=r"out of memory at batch_size 4 with accumulation 1 .*raise accumulation.* or lower",
    ):
        list(small.records())


def test_other_errors_stay_what_they_are(make: Callable[..., SmallFit]) -> None:
    small = make()

    def broken(*_: object) -> None:
        raise RuntimeError("ours")

    small.network.register_forward_pre_hook(broken)
    with pytest.raises(RuntimeError, match="ours"):
        list(small.records())


@pytest.mark.parametrize("dataset", ["sample", "landcover_ai", "folder"])
def test_the_params_file_has_a_section_for_each_data_set(dataset: str) -> None:
    params = load_section(SRC.parent / "params.yaml", f"datasets.{dataset}.train", Train)
    assert params.epochs >= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs\n.*greater than 0"),
        ({"batch_size": 0}, "batch_size\n.*greater than 0"),
        ({"base_channels": -1}, "base_channels\n.*greater than 0"),
        ({"learning_rate": 0.0}, "learning_rate\n.*greater than 0"),
        ({"learning_rate": math.nan}, "learning_rate\n.*finite number"),
        ({"weight_decay": -0.1}, "weight_decay\n.*greater than or equal to 0"),
        ({"processes": 0}, r"processes\.\S+\n.*greater than 0"),
        ({"accumulation": 0}, r"accumulation\.\S+\n.*greater than 0"),
        ({"threads": 0}, "threads\n.*greater than 0"),
        ({"crop": -1}, "crop\n.*greater than or equal to 0"),
        ({"crop": 15}, "crop must be 0 .* or at least 16 px, .*, got 15"),
        ({"optimizer": "sgd"}, "optimizer\n.*'adam', 'adamw' or 'muon'"),
        ({"schedule": "linear"}, "schedule\n.*'constant', 'cosine' or 'one_cycle'"),
        ({"warmup": 1.1}, "warmup\n.*less than or equal to 1"),
        ({"ema_decay": 1.0}, "ema_decay\n.*less than 1"),
        ({"patience": -1}, "patience\n.*greater than or equal to 0"),
        ({"workers": -1}, "workers\n.*greater than or equal to 0"),
        ({"class_weights": "equal"}, "class_weights.*\n.*'auto' or 'none'"),
        ({"precision": "half"}, "precision\n.*'auto', 'float32', 'bfloat16' or 'float16'"),
        ({"momentum": 0.9}, "momentum\n.*Unexpected"),
        (
            {"compile": True, "checkpointing": True},
            "torch.compile cannot trace it; set one",
        ),
    ],
)
def test_parameters_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_params(**changes)


def test_a_training_that_diverges_stops(make: Callable[..., SmallFit]) -> None:
    small = make(learning_rate=1e30, batch_size=1)
    with pytest.raises(ValueError, match=r"epoch 1, step 2: the .* learning_rate \(1e\+30\) that"):
        list(small.records())
