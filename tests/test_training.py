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
from label import label
from partialseg.compute import Compute, seed_everything
from partialseg.data import TruthPatches, truth_loader
from partialseg.epoch_record import EpochRecord
from partialseg.labels import LabelStore
from partialseg.loss import partial_cross_entropy
from partialseg.models.build import build_network
from partialseg.params import load_section
from partialseg.patches import PatchStore
from partialseg.scoring import score
from partialseg.train_data import TrainPatches
from partialseg.training import Train, fit, train_epoch, training_loss
from small_run import CPU, LIVELY, Lookup, isolate, red_image, train_params


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
        self.weights, self.compute, self.seed = class_weights, compute, seed
        seed_everything(seed)
        self.network = compute.place(
            build_network(
                architecture, 3, 3, self.params.base_channels, self.params.deep_supervision
            )
        )
        self.train_patches = TrainPatches(
            store, LabelStore(labels, names), self.params.augment, seed
        )
        self.val_patches = TruthPatches(store, store.of_split("val"))

    def records(self) -> Iterator[EpochRecord]:
        return fit(
            self.network,
            self.train_patches,
            self.val_patches,
            3,
            self.weights,
            self.params,
            self.seed,
            self.compute,
        )


@pytest.fixture
def make(
    make_patches: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., SmallFit]:
    isolate(monkeypatch, tmp_path)
    patches = make_patches(columns=5)
    label(patches, tmp_path / "labels", 0.5, 42)

    def small_fit(**changes: Any) -> SmallFit:
        return SmallFit(patches, tmp_path / "labels", **changes)

    return small_fit


def without_time(record: EpochRecord) -> dict[str, float]:
    return {
        name: value
        for name, value in asdict(record).items()
        if name not in ("seconds", "images_per_second")
    }


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


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


def test_deep_supervision_learns_too(make: Callable[..., SmallFit]) -> None:
    small = make(architecture="unetplusplus", deep_supervision=True, epochs=6, learning_rate=0.02)
    records = [*small.records()]
    assert records[-1].train_loss < 0.8 * records[0].train_loss


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
    for epoch, record in enumerate(small.records(), start=1):
        assert record.epoch == epoch
        # 5 patches in batches of 2: BatchNorm has seen 3 batches an epoch, none while scoring.
        assert small.network.stem[1].num_batches_tracked == 3 * epoch
        assert 0 < record.seconds < 60
        assert record.images_per_second >= 5 / record.seconds
    assert epoch == 3


def test_a_record_has_the_scores_of_the_whole_validation_split(
    make: Callable[..., SmallFit],
) -> None:
    weights = torch.tensor([0.5, 1.0, 3.0])
    small = make(class_weights=weights)
    for record in small.records():
        batches = truth_loader(small.val_patches, 2, 0)
        expected = score(small.network, batches, 3, weights, CPU)
        assert record.val_loss == expected.loss
        assert record.val_miou == expected.confusion.miou()
        assert record.val_accuracy == expected.confusion.accuracy()
        assert record.val_batch_miou == expected.batch_miou
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
    network: nn.Module,
    *patches: tuple[Tensor, Tensor],
    learning_rate: float = 0.0,
    class_weights: Tensor | None = None,
    batch_size: int = 1,
) -> tuple[float, list[int]]:
    """Train an epoch with plain gradient descent; return its loss and the reported images."""
    done: list[int] = []
    loss = train_epoch(
        network,
        DataLoader(patches, batch_size),  # type: ignore[arg-type]
        class_weights,
        torch.optim.SGD(network.parameters(), lr=learning_rate),
        CPU.grad_scaler(),
        CPU,
        done.append,
    )
    return loss, done


def test_the_loss_of_an_epoch_is_the_mean_of_its_batches() -> None:
    loss, done = one_epoch(Lookup(TABLE), FIRST, SECOND)
    assert loss == pytest.approx((RIGHT + WRONG) / 2, rel=1e-5)
    assert done == [1, 1]


def test_images_are_reported_batch_by_batch() -> None:
    _, done = one_epoch(Lookup(TABLE), FIRST, SECOND, FIRST, batch_size=2)
    assert done == [2, 1]


def test_the_loss_of_an_epoch_has_the_weights_of_the_classes() -> None:
    loss, _ = one_epoch(Lookup(TABLE), FIRST, SECOND, class_weights=torch.tensor([3.0, 1.0]))
    assert loss == pytest.approx(((3 * RIGHT + RIGHT) / 2 + 3 * WRONG) / 2, rel=1e-5)


def test_a_step_goes_down_the_gradient() -> None:
    network = Lookup(TABLE)
    one_epoch(network, FIRST, learning_rate=1.0)
    step = torch.tensor([[0.25, -0.25], [-0.25, 0.25]]) / 2  # (one-hot - softmax) / 2 labelled
    torch.testing.assert_close(network.table.data, torch.tensor(TABLE) + step)


def test_gradients_do_not_add_up_over_batches() -> None:
    network, twice = Lookup(TABLE), Lookup(TABLE)
    one_epoch(network, FIRST, SECOND, learning_rate=1.0)
    one_epoch(twice, FIRST, learning_rate=1.0)
    one_epoch(twice, SECOND, learning_rate=1.0)
    assert same_weights(network, twice)


def test_a_batch_without_labels_changes_nothing() -> None:
    network = Lookup(TABLE)
    unlabelled = (FIRST[0], torch.full((2, 2), -1, dtype=torch.int16))
    loss, _ = one_epoch(network, unlabelled, learning_rate=1.0)
    assert loss == 0.0
    assert torch.equal(network.table.data, torch.tensor(TABLE))


def test_an_epoch_trains_in_training_mode() -> None:
    network = Lookup(TABLE).eval()
    one_epoch(network, FIRST)
    assert network.training


def test_the_loss_of_deep_supervision_is_the_mean_over_the_heads() -> None:
    labels = torch.tensor([[[0, -1]]])
    probabilities = [(0.5, 0.5), (0.25, 0.75), (0.125, 0.875), (0.5, 0.5)]
    heads = tuple(
        torch.tensor(pair).log()[None, :, None, None].expand(1, 2, 1, 2) for pair in probabilities
    )
    ln2 = math.log(2)
    loss = training_loss(heads, labels, torch.tensor([2.0, 1.0]))
    assert float(loss) == pytest.approx(2 * (ln2 + 2 * ln2 + 3 * ln2 + ln2) / 4)


def test_the_loss_of_one_head_is_the_partial_cross_entropy() -> None:
    logits, labels = torch.randn(2, 3, 4, 4), torch.randint(-1, 3, (2, 4, 4))
    weights = torch.tensor([1.0, 2.0, 3.0])
    expected = partial_cross_entropy(logits, labels, weights)
    assert torch.equal(training_loss(logits, labels, weights), expected)


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
        ({"workers": -1}, "workers\n.*greater than or equal to 0"),
        ({"class_weights": "equal"}, "class_weights.*\n.*'auto' or 'none'"),
        ({"precision": "half"}, "precision\n.*'auto', 'float32', 'bfloat16' or 'float16'"),
        ({"momentum": 0.9}, "momentum\n.*Unexpected"),
    ],
)
def test_parameters_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_params(**changes)


def test_a_training_that_diverges_stops(make: Callable[..., SmallFit]) -> None:
    small = make(learning_rate=1e30, batch_size=1)
    with pytest.raises(
        ValueError, match=r"epoch \d: the training loss is .*learning_rate \(1e\+30"
    ):
        list(small.records())
