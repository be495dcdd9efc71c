import tracemalloc
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from partialseg.acquisition.core_set import k_centre, k_centres


def on_a_line(*places: float) -> NDArray[np.float32]:
    return np.array(places, np.float32)[:, None]


def where(samples: int, *labelled: int) -> NDArray[np.bool_]:
    return np.isin(np.arange(samples), labelled)


def test_the_farthest_from_all_centres_comes_next() -> None:
    features = on_a_line(0, 1, 4, 6, 10)
    # From 0 the farthest is 10; from {0, 10} it is 4 (4 away, as 6 is: the first), then 6, then 1.
    assert k_centre(features, where(5, 0), 4).tolist() == [4, 2, 3, 1]
    # From {0, 10, 6} 4 is 2 away, 1 is 1 away.
    assert k_centre(features, where(5, 0, 3, 4), 2).tolist() == [2, 1]


def test_without_a_label_the_first_is_nearest_the_mean() -> None:
    features = on_a_line(0, 1, 4, 6, 10)  # their mean is 4.2
    assert k_centre(features, where(5), 3).tolist() == [2, 4, 0]


def test_equal_samples_come_in_their_order_and_last() -> None:
    features = on_a_line(3, 3, 7, 3)
    assert k_centre(features, where(4), 4).tolist() == [0, 2, 1, 3]


def test_none_is_left_and_none_comes_twice() -> None:
    features = np.random.default_rng(2).normal(size=(30, 4)).astype(np.float32)
    labelled = where(30, 3, 8)
    assert sorted([*k_centres(features, labelled), 3, 8]) == list(range(30))
    assert labelled.sum() == 2  # as it was


def test_it_agrees_with_a_greedy_search_over_all_distances() -> None:
    features = np.random.default_rng(4).normal(size=(200, 8)).astype(np.float32)
    labelled = np.random.default_rng(5).random(200) < 0.05
    distances = cdist(features, features)
    centres = list(np.flatnonzero(labelled))
    for _ in range(40):
        centres.append(int(distances[:, centres].min(axis=1).argmax()))
    assert k_centre(features, labelled, 40).tolist() == centres[labelled.sum() :]


def test_the_radius_is_at_most_twice_that_of_any_choice() -> None:
    # The guarantee of the greedy choice, here against two clusters of known radius 1.
    rng = np.random.default_rng(6)
    angles = rng.random(100) * 2 * np.pi
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    features = np.concatenate([ring, ring + 50]).astype(np.float32)
    chosen = k_centre(features, where(200), 2)
    assert cdist(features, features[chosen]).min(axis=1).max() <= 2.0001
    assert (chosen < 100).sum() == 1


def test_no_matrix_of_all_pairs_is_held() -> None:
    features = np.random.default_rng(7).normal(size=(20_000, 4)).astype(np.float32)
    tracemalloc.start()
    list(islice(k_centres(features, where(20_000)), 5))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 20_000 * 4  # all pairs: 1.6 GB


def test_more_than_there_are_is_refused() -> None:
    message = r"core set: 3 samples wanted, only 2 are not labelled"
    with pytest.raises(ValueError, match=message):
        k_centre(on_a_line(1, 2, 3), where(3, 0), 3)
