import numpy as np

from partialseg.core.classes import NO_TRUTH, compose_label, first_largest


def test_a_label_is_the_truth_where_it_is_visible_and_known() -> None:
    truth = np.array([[0, 1, NO_TRUTH], [0, 1, NO_TRUTH]], np.uint8)
    visible = np.array([[True, True, True], [False, False, False]])
    label = compose_label(truth, visible)
    assert label.tolist() == [[0, 1, -1], [-1, -1, -1]]
    assert label.dtype == np.int16


def test_high_class_ids_survive() -> None:
    truth = np.array([127, 128, 200, 254, 255], np.uint8)
    label = compose_label(truth, np.ones(5, np.bool_))
    assert label.tolist() == [127, 128, 200, 254, -1]


def test_the_class_with_the_largest_score_is_taken_and_the_first_of_equals() -> None:
    scores = np.array([[0, 1, 2, 3], [0, 1, 5, 3], [0, 2, 5, 4], [0, 2, 5, -9]], np.float32)
    assert first_largest(scores[:, None]).tolist() == [[0, 2, 1, 2]]
    noise = np.random.default_rng(1).random((6, 30, 40), np.float32)
    assert np.array_equal(first_largest(noise), noise.argmax(axis=0))
    assert first_largest(noise).dtype == np.uint8
