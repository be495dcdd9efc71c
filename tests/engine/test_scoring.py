import dataclasses
import math

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from partialseg.engine.batches import Batch
from partialseg.engine.compute import Compute
from partialseg.engine.scoring import Scorer, Scores, predict_logits
from partialseg.models.unet import UNet
from small_run import CPU, Lookup, red_image

# A red pixel 0 is class 0 with probability 3/4, a red pixel 1 is class 1.
TABLE = torch.tensor([[0.75, 0.25], [0.25, 0.75]]).log().tolist()
RIGHT, WRONG = math.log(4 / 3), math.log(4)  # loss of a pixel

FIRST = (red_image([[0, 0], [1, 1]]), [[0, 0], [1, 1]])
SECOND = (red_image([[1, 1], [0, 0]]), [[0, 0], [0, -1]])
UNKNOWN = (red_image([[1, 1], [0, 0]]), [[-1, -1], [-1, -1]])


def loader(*pairs: tuple[Tensor, list[list[int]]], batch_size: int = 1) -> DataLoader[Batch]:
    patches = [(image, torch.tensor(truth, dtype=torch.int16)) for image, truth in pairs]
    return DataLoader(patches, batch_size)  # type: ignore[arg-type]


def scorer_of(weights: Tensor | None = None) -> Scorer:
    return Scorer(num_classes=2, class_weights=weights, compute=CPU)


def score_of(batches: DataLoader[Batch], weights: Tensor | None = None) -> Scores:
    return scorer_of(weights).score(Lookup(TABLE), batches)


def test_the_confusion_counts_the_known_pixels_of_the_whole_split() -> None:
    scores = score_of(loader(FIRST, SECOND))
    assert scores.confusion.counts.tolist() == [[3, 2], [0, 2]]
    assert scores.confusion.miou() == pytest.approx((3 / 5 + 2 / 4) / 2)


def test_batch_miou_is_the_mean_of_the_batches_own_miou() -> None:
    # The first batch has 1, the second (1/3 + 0) / 2; the whole split has 0.55.
    assert score_of(loader(FIRST, SECOND)).batch_miou == pytest.approx((1 + 1 / 6) / 2)
    whole = score_of(loader(FIRST, SECOND, batch_size=2))
    assert whole.batch_miou == pytest.approx(0.55)
    assert whole.confusion.miou() == pytest.approx(0.55)


def test_a_batch_that_the_network_sees_in_parts_has_its_own_scores() -> None:
    batches = loader(FIRST, SECOND, FIRST, batch_size=3)
    whole, in_parts = (
        dataclasses.replace(scorer_of(), parts=parts).score(Lookup(TABLE), batches)
        for parts in (1, 2)
    )
    assert in_parts.batch_miou == whole.batch_miou
    assert in_parts.loss == whole.loss
    assert in_parts.confusion.counts.tolist() == whole.confusion.counts.tolist()


def test_each_known_pixel_has_the_same_part_in_the_loss() -> None:
    # 4 pixels in the first batch, 3 in the second: not the mean of the two batches' losses.
    expected = (5 * RIGHT + 2 * WRONG) / 7
    for batch_size in (1, 2):
        scores = score_of(loader(FIRST, SECOND, batch_size=batch_size))
        assert scores.loss == pytest.approx(expected, rel=1e-5)


def test_the_loss_has_the_weights_of_the_classes() -> None:
    expected = (5 * (3 * RIGHT) - 2 * 3 * RIGHT + 2 * RIGHT + 2 * 3 * WRONG) / 7
    scores = score_of(loader(FIRST, SECOND), torch.tensor([3.0, 1.0]))
    assert scores.loss == pytest.approx(expected, rel=1e-5)
    assert scores.confusion.counts.tolist() == [[3, 2], [0, 2]]


def test_a_batch_without_truth_counts_nowhere() -> None:
    with_it, without = score_of(loader(FIRST, UNKNOWN, SECOND)), score_of(loader(FIRST, SECOND))
    assert with_it.loss == without.loss
    assert with_it.batch_miou == without.batch_miou
    assert torch.equal(with_it.confusion.counts, without.confusion.counts)


def test_observers_see_logits_and_labels_of_each_batch_in_order_and_change_no_score() -> None:
    first: list[tuple[Tensor, Tensor]] = []
    calls: list[str] = []

    def keep(logits: Tensor, labels: Tensor) -> None:
        first.append((logits.clone(), labels.clone()))
        calls.append("first")

    def count(logits: Tensor, labels: Tensor) -> bool:
        calls.append("second")
        return False  # what an observer returns is nobody's concern

    pairs = (FIRST, UNKNOWN, SECOND)
    network = Lookup(TABLE)
    observed = scorer_of().score(network, loader(*pairs), observers=(keep, count))
    assert calls == ["first", "second"] * 3
    for (logits, labels), (image, truth) in zip(first, pairs, strict=True):
        assert (logits.shape, logits.dtype) == ((1, 2, 2, 2), torch.float32)
        expected = torch.tensor(TABLE)[image[0].long()].permute(2, 0, 1)
        torch.testing.assert_close(logits[0], expected)
        assert labels.dtype == torch.int64
        assert labels.tolist() == [truth]
    plain = score_of(loader(*pairs))
    assert torch.equal(observed.confusion.counts, plain.confusion.counts)
    assert (observed.loss, observed.batch_miou) == (plain.loss, plain.batch_miou)


def test_observers_see_a_larger_batch_at_once() -> None:
    shapes: list[tuple[torch.Size, torch.Size]] = []
    scorer_of().score(
        Lookup(TABLE),
        loader(FIRST, SECOND, FIRST, batch_size=2),
        observers=[lambda logits, labels: shapes.append((logits.shape, labels.shape))],
    )
    assert shapes == [((2, 2, 2, 2), (2, 2, 2)), ((1, 2, 2, 2), (1, 2, 2))]


def test_the_network_is_left_as_it_was() -> None:
    torch.manual_seed(0)
    network = UNet(3, 2, 2).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    truth = [[[0] * 16] * 16] * 3
    scores = scorer_of().score(network, loader(*zip(images, truth, strict=True)))
    assert scores.confusion.counts.sum() == 3 * 256
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())


def test_batchnorm_runs_in_evaluation_mode() -> None:
    torch.manual_seed(0)
    network = UNet(3, 2, 2)
    images = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    truth = torch.randint(0, 2, (3, 16, 16)).tolist()
    pairs = [*zip(images, truth, strict=True)]
    one, three = (scorer_of().score(network.train(), loader(*pairs, batch_size=n)) for n in (1, 3))
    assert one.loss == pytest.approx(three.loss, rel=1e-5)
    assert torch.equal(one.confusion.counts, three.confusion.counts)


def test_logits_are_float32_in_any_precision() -> None:
    torch.manual_seed(0)
    network = UNet(3, 2, 2).eval()
    images = torch.randint(0, 256, (1, 3, 16, 32), dtype=torch.uint8)
    with torch.no_grad():
        mixed = predict_logits(network, images, Compute(torch.device("cpu"), torch.bfloat16))
        full = predict_logits(network, images, CPU)
        expected = network(CPU.to_input(images))
    assert mixed.dtype == full.dtype == torch.float32
    assert torch.equal(full, expected)
    assert not torch.equal(mixed, full)
    torch.testing.assert_close(mixed, full, rtol=0.05, atol=0.05)
