import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve
from torch import Tensor

from partialseg.evaluation.pixels import PixelCounts


def logits_of(*probabilities: tuple[float, ...]) -> Tensor:
    """Return logits (1, C, 1, W) of the given probabilities, one tuple a pixel."""
    return torch.tensor(probabilities, dtype=torch.float64).log().T[None, :, None]


def truth_of(*ids: int) -> Tensor:
    return torch.tensor(ids)[None, None]


def test_bins_and_error_are_those_of_the_hand_computed_table() -> None:
    counts = PixelCounts(2, 4)
    counts.update(
        logits_of((0.6, 0.4), (0.3, 0.7), (0.9, 0.1), (0.8, 0.2), (0.05, 0.95)),
        truth_of(0, 0, 0, 1, 1),
    )
    summary = counts.calibration()
    low, second, third, last = summary["bins"]
    nothing = {"pixels": 0, "confidence": None, "accuracy": None}
    assert low == {"from": 0.0, "to": 0.25, **nothing}
    assert second == {"from": 0.25, "to": 0.5, **nothing}
    assert third == {
        "from": 0.5,
        "to": 0.75,
        "pixels": 2,
        "confidence": pytest.approx(0.65),
        "accuracy": 0.5,
    }
    assert last == {
        "from": 0.75,
        "to": 1.0,
        "pixels": 3,
        "confidence": pytest.approx(2.65 / 3),
        "accuracy": pytest.approx(2 / 3),
    }
    assert summary["ece"] == pytest.approx(2 / 5 * 0.15 + 3 / 5 * (2.65 / 3 - 2 / 3))


def test_a_limit_belongs_to_the_bin_below_and_certainty_to_the_last() -> None:
    counts = PixelCounts(2, 2)
    certain = torch.tensor([[500.0, 0.0]]).T[None, :, None]
    counts.update(logits_of((0.5, 0.5)), truth_of(0))
    counts.update(certain.reshape(1, 2, 1, 1), truth_of(1))
    first, last = counts.calibration()["bins"]
    assert (first["pixels"], first["confidence"], first["accuracy"]) == (1, 0.5, 1.0)
    assert (last["pixels"], last["confidence"], last["accuracy"]) == (1, 1.0, 0.0)
    assert counts.calibration()["ece"] == 0.75


def test_unlabelled_pixels_count_nowhere() -> None:
    counts = PixelCounts(2, 10)
    counts.update(logits_of((0.6, 0.4), (0.1, 0.9)), truth_of(0, -1))
    bins = counts.calibration()["bins"]
    assert [row["pixels"] for row in bins] == [0] * 5 + [1] + [0] * 4
    assert counts.calibration()["ece"] == pytest.approx(0.4)


def test_without_a_known_pixel_there_is_no_error() -> None:
    counts = PixelCounts(2, 3)
    counts.update(logits_of((0.6, 0.4)), truth_of(-1))
    with pytest.raises(ValueError, match="no pixel of the split that is scored has a truth"):
        counts.calibration()


def test_a_network_that_is_as_often_right_as_confident_has_no_error() -> None:
    counts = PixelCounts(2, 15)
    counts.update(logits_of(*[(0.75, 0.25)] * 4), truth_of(0, 0, 1, 0))
    assert counts.calibration()["ece"] == pytest.approx(0.0)


@pytest.mark.parametrize("bins", [7, 15])
@pytest.mark.parametrize("seed", range(2))
def test_it_agrees_with_scikit_learn(seed: int, bins: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(3, 4, 40, 50, generator=generator)
    truth = torch.randint(-1, 4, (3, 40, 50), generator=generator)
    truth[:, ::2] = torch.where(truth[:, ::2] < 0, -1, logits.argmax(1)[:, ::2])
    counts = PixelCounts(4, bins)
    for images in (slice(0, 2), slice(2, 3)):
        counts.update(logits[images], truth[images])
    summary = counts.calibration()

    known = (truth >= 0).numpy()
    exponents = np.exp(logits.numpy())
    probabilities = (exponents / exponents.sum(axis=1, keepdims=True)).max(axis=1)[known]
    right = (logits.argmax(1) == truth).numpy()[known]
    share, confidence = calibration_curve(right, probabilities, n_bins=bins, strategy="uniform")
    filled = [row for row in summary["bins"] if row["pixels"]]
    assert [row["accuracy"] for row in filled] == pytest.approx(share.tolist())
    assert [row["confidence"] for row in filled] == pytest.approx(confidence.tolist(), rel=1e-5)
    pixels, _ = np.histogram(probabilities, np.linspace(0, 1, bins + 1))
    assert [row["pixels"] for row in summary["bins"]] == pixels.tolist()
    shares = pixels[pixels > 0] / pixels.sum()
    assert summary["ece"] == pytest.approx(float(shares @ np.abs(share - confidence)), rel=1e-4)


def test_sums_keep_small_parts_of_many_pixels() -> None:
    """A sum in float32 loses digits long before a million pixels."""
    counts = PixelCounts(2, 5)
    logits = logits_of((0.7, 0.3)).float()
    counts.update(logits.expand(1, 2, 1000, 1000), torch.zeros(1, 1000, 1000))
    row = counts.calibration()["bins"][3]
    assert row["pixels"] == 1_000_000
    assert row["confidence"] == pytest.approx(float(logits.softmax(1).amax()), rel=1e-12)


def test_a_single_bin_holds_all_pixels() -> None:
    counts = PixelCounts(2, 1)
    counts.update(logits_of((0.6, 0.4), (0.1, 0.9)), truth_of(0, 0))
    (row,) = counts.calibration()["bins"]
    assert (row["from"], row["to"], row["pixels"], row["accuracy"]) == (0.0, 1.0, 2, 0.5)
