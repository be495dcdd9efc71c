"""What the classes of data sets are in common: the section transfer, networks, truth, scores."""

from typing import Any

import pytest
import torch

from partialseg.confusion import ConfusionMatrix
from partialseg.tiling.params import Tile
from partialseg.transfer.common import CommonClasses
from partialseg.transfer.params import Transfer, check_tile
from partialseg.transfer.scores import common_scores, majority
from small_run import Lookup

NAMES = ["field", "house", "lake", "car"]


def section(**keys: Any) -> Transfer:
    return Transfer(split="main", **{name: tuple(listed) for name, listed in keys.items()})


def test_each_class_has_its_place_among_the_common_ones() -> None:
    found = section(background=["lake", "field"], building=["house"], ignore=["car"])
    assert found.common_ids(NAMES) == (0, 1, 0, None)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"background": ["field", "house", "lake"]}, "'car' is listed 0 times"),
        ({"background": NAMES, "road": ["car"]}, "'car' is listed 2 times"),
        ({"background": [*NAMES, "tree"]}, r"'tree' is no class of the data set \(field, house"),
        ({"ignore": NAMES}, "all classes are listed under ignore"),
    ],
)
def test_a_class_that_is_not_listed_once_is_an_error(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        section(**keys).common_ids(NAMES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "random"}, r"holds out cells \(random\)"),
        ({"test": "none"}, r"has no test split \(test: none\)"),
    ],
)
def test_a_split_without_whole_orthophotos_is_an_error(
    changes: dict[str, Any], message: str
) -> None:
    keys = {"source_size": 32, "size": 32, "split": "orthophoto", "split_seed": 1}
    keys |= {"val": 0.2, "test": 0.2, "train_truth": "masks"}
    check_tile(Tile(**keys))
    with pytest.raises(ValueError, match=message):
        check_tile(Tile(**keys | changes))


def test_probabilities_of_a_common_class_add_up() -> None:
    # Alone, class 1 (0.4) is the most probable; 0 and 2 are one common class of 0.5.
    shares = [0.3, 0.4, 0.2, 0.1]
    network = CommonClasses(Lookup([torch.tensor(shares).log().tolist()]), (0, 1, 0, None))
    black = torch.tensor([-123.675 / 58.395, 0.0, 0.0]).view(1, 3, 1, 1)  # red 0, normalised
    logits = network(black).flatten()
    assert logits[:2].exp().tolist() == pytest.approx([0.5, 0.4])
    assert logits[2:].tolist() == [-torch.inf] * 3


def confusion(*counts: tuple[int, int, int]) -> ConfusionMatrix:
    """Return the matrix of (truth, answer, pixels)."""
    made = ConfusionMatrix(5)
    for truth, answer, pixels in counts:
        made.counts[truth, answer] = pixels
    return made


def test_an_answer_that_the_other_set_does_not_know_is_wrong_and_is_not_scored() -> None:
    # Background 6 right, 2 as building; woodland 3 right, 1 as background; 5 of water left out.
    made = confusion((0, 0, 6), (0, 1, 2), (2, 2, 3), (2, 0, 1), (3, 3, 5))
    scores = common_scores(made, [0, 2, 4])
    assert scores["iou"] == pytest.approx({"background": 6 / 9, "woodland": 3 / 4})
    assert scores["miou"] == pytest.approx((6 / 9 + 3 / 4) / 2)
    assert scores["accuracy"] == pytest.approx(9 / 12)
    assert (scores["right"], scores["pixels"], scores["absent"]) == (9, 12, ["road"])
    assert made.counts[3, 3] == 5


def test_the_majority_answer_has_the_share_of_its_class() -> None:
    found = majority([6, 0, 14, 0, 0])
    assert found == {"class": "woodland", "miou": 0.35, "accuracy": 0.7}
