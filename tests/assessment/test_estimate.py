import numpy as np
import pytest

from partialseg.assessment.estimate import Estimate, check_enough, estimate

# The example of Olofsson et al. 2014, section 5: pixels of 30 m, in all 900,000 ha.
# Deforestation, forest gain, stable forest, stable non-forest.
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
MAPPED = np.array([200_000, 150_000, 3_200_000, 6_450_000]) / 10_000_000
HECTARES = 900_000


# Its overall and user's accuracies and its areas are those of the text; the half-widths of the
# producer's accuracies follow from its equation 7.


def rounded(item: Estimate | None, digits: int = 2) -> tuple[float, float]:
    assert item is not None
    return round(item.value, digits), round(item.half_width, digits)


def test_the_published_example() -> None:
    accuracy = estimate(COUNTS, MAPPED)
    assert rounded(accuracy.overall) == (0.95, 0.02)
    users = [rounded(item.users) for item in accuracy.classes]
    assert users == [(0.88, 0.07), (0.73, 0.10), (0.93, 0.04), (0.96, 0.02)]
    producers = [rounded(item.producers) for item in accuracy.classes]
    assert producers == [(0.75, 0.21), (0.85, 0.25), (0.93, 0.03), (0.96, 0.02)]
    areas = [
        tuple(HECTARES * value for value in (item.share.value, item.share.half_width))
        for item in accuracy.classes
    ]
    # Of deforestation 235,086 +- 68,418 pixels.
    assert areas[0] == pytest.approx((21_158, 6_158), abs=1)
    assert areas[1] == pytest.approx((11_686, 3_756), abs=1)
    assert areas[2] == pytest.approx((285_770, 15_510), abs=1)
    assert areas[3] == pytest.approx((581_386, 16_282), abs=1)


def test_two_classes_by_hand() -> None:
    # Mapped a: 3 of 4 points right; mapped b: 4 of 5. a covers 0.2 of the map.
    accuracy = estimate(np.array([[3, 1], [1, 4]]), np.array([0.2, 0.8]))
    of_a, of_b = 0.75 * 0.25 / 3, 0.8 * 0.2 / 4  # variances of the shares of the two rows
    assert accuracy.overall.value == pytest.approx(0.2 * 0.75 + 0.8 * 0.8)
    both = 0.04 * of_a + 0.64 * of_b
    assert accuracy.overall.half_width == pytest.approx(1.959964 * both**0.5)
    a = accuracy.classes[0]
    assert a.users is not None and a.producers is not None
    assert (a.users.value, a.mapped) == (0.75, 0.2)
    assert a.users.half_width == pytest.approx(1.959964 * of_a**0.5)
    share = 0.2 * 0.75 + 0.8 * 0.2
    assert a.share.value == pytest.approx(share)
    assert a.share.half_width == pytest.approx(1.959964 * both**0.5)
    producers = 0.2 * 0.75 / share
    assert a.producers.value == pytest.approx(producers)
    variance = (1 - producers) ** 2 * 0.04 * of_a + producers**2 * 0.64 * of_b
    assert a.producers.half_width == pytest.approx(1.959964 * variance**0.5 / share)


def test_a_class_that_is_not_mapped_and_one_that_no_point_has() -> None:
    counts = np.array([[5, 0, 1], [2, 2, 0], [0, 0, 0]])
    accuracy = estimate(counts, np.array([0.5, 0.5, 0.0]))
    c = accuracy.classes[2]
    assert c.users is None
    assert c.producers == Estimate(value=0.0, half_width=0.0)
    assert c.share.value == pytest.approx(0.5 / 6)
    none = estimate(np.array([[4, 0], [4, 0]]), np.array([0.5, 0.5])).classes[1]
    assert none.producers is None
    assert none.users == Estimate(value=0.0, half_width=0.0)


@pytest.mark.parametrize("number", [0, 1])
def test_a_class_of_too_few_points_is_named(number: int) -> None:
    message = f"^class b: has 90 pixels on the map and {number} reference points; at least 2 are"
    with pytest.raises(ValueError, match=message):
        check_enough([5, number, 0], [900, 90, 0], ("a", "b", "c"))


def test_a_class_of_one_pixel_needs_one_point() -> None:
    check_enough([5, 2, 1, 0], [900, 90, 1, 0], ("a", "b", "c", "d"))
    with pytest.raises(ValueError, match=r"^class c: has 1 pixels .* at least 1 are needed$"):
        check_enough([5, 2, 0], [900, 90, 1], ("a", "b", "c"))


def test_estimates_are_unbiased_and_their_intervals_cover_the_truth() -> None:
    """Samples of a map of three classes of which the errors are known."""
    rng = np.random.default_rng(3)
    # Pixels by mapped and true class.
    true = np.array([[5400, 300, 100], [200, 1500, 100], [150, 50, 2200]])
    mapped = true.sum(axis=1) / true.sum()
    expected = (true.trace() / true.sum(), *true.sum(axis=0) / true.sum())
    drawn, covered = [], []
    for _ in range(2000):
        rows = [rng.multivariate_hypergeometric(row, 100) for row in true]
        accuracy = estimate(np.array(rows), mapped)
        found = [accuracy.overall, *(item.share for item in accuracy.classes)]
        drawn.append([item.value for item in found])
        covered.append(
            [
                abs(item.value - value) <= item.half_width
                for item, value in zip(found, expected, strict=True)
            ]
        )
    np.testing.assert_allclose(np.mean(drawn, axis=0), expected, atol=0.002)
    assert np.mean(covered, axis=0).min() > 0.92
