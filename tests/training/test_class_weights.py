import pytest

from partialseg.training.losses import inverse_root_frequency, resolve_class_weights

COUNTS = {"field": 64, "house": 16, "lake": 16, "road": 4}  # roots of the shares: .8 .4 .4 .2


def test_weights_are_those_of_the_hand_computed_table() -> None:
    expected = [1 / (0.8 * 1.8), 1 / (0.4 * 1.8), 1 / (0.4 * 1.8), 1 / (0.2 * 1.8)]
    assert inverse_root_frequency(COUNTS) == pytest.approx(expected)


@pytest.mark.parametrize(
    "counts", [COUNTS, {"a": 1, "b": 999_999}, {"a": 5}, {"a": 7, "b": 7, "c": 7}]
)
def test_the_mean_weight_of_a_visible_pixel_is_one(counts: dict[str, int]) -> None:
    weights = inverse_root_frequency(counts)
    total = sum(w * n for w, n in zip(weights, counts.values(), strict=True))
    assert total / sum(counts.values()) == pytest.approx(1.0)


def test_equal_classes_weigh_one() -> None:
    assert inverse_root_frequency({"a": 7, "b": 7}) == pytest.approx((1.0, 1.0))


def test_a_class_four_times_rarer_weighs_twice_as_much() -> None:
    common, rare = inverse_root_frequency({"a": 400, "b": 100})
    assert rare / common == pytest.approx(2.0)


def test_auto_follows_the_order_of_the_counts() -> None:
    reversed_counts = dict(reversed(COUNTS.items()))
    weights = resolve_class_weights("auto", COUNTS)
    assert weights == inverse_root_frequency(COUNTS)
    assert resolve_class_weights("auto", reversed_counts) == tuple(reversed(weights))


def test_weights_of_a_real_mask_are_those_of_the_docs() -> None:
    """The shares, in tenths of %, are those of the mask N-33-60-D-c-4-2 of LandCover.ai."""
    counts = {"background": 641, "building": 18, "woodland": 245, "water": 77, "road": 19}
    weights = inverse_root_frequency(counts)
    assert weights == pytest.approx((0.68, 4.04, 1.09, 1.95, 3.93), abs=0.01)


def test_none_means_no_weights() -> None:
    assert resolve_class_weights("none", COUNTS) is None


def test_a_list_is_taken_as_it_is() -> None:
    weights = (0.66, 1.27, 1.12, 1.03)
    assert resolve_class_weights(weights, {"a": 1, "b": 0, "c": 2, "d": 0}) == weights


@pytest.mark.parametrize("weights", [(1.0, 2.0), (1.0,) * 5, (1.0, 2.0, 0.0, 1.0), (-1.0,) * 4])
def test_a_list_of_another_length_or_not_positive_is_refused(weights: tuple[float, ...]) -> None:
    message = r"class_weights: needs 4 positive weights, one per class, got \[" + str(weights[0])
    with pytest.raises(ValueError, match=message):
        resolve_class_weights(weights, COUNTS)


def test_a_class_without_a_visible_pixel_has_weight_0_and_changes_no_other() -> None:
    field, house, road = inverse_root_frequency({"field": 64, "house": 16, "road": 4})
    found = resolve_class_weights("auto", COUNTS | {"lake": 0})
    assert found == (field, house, 0.0, road)
