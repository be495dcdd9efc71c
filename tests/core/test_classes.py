import numpy as np

from partialseg.core.classes import NO_TRUTH, compose_label


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
