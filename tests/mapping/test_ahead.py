import threading
from collections.abc import Iterator

import pytest
import torch

from mapping_models import Brightness
from partialseg.mapping.ahead import ahead, has_room


def test_items_keep_their_order() -> None:
    assert list(ahead(range(100))) == list(range(100))
    assert list(ahead([])) == []


def test_the_next_item_is_made_while_one_is_used() -> None:
    """The second item waits for a sign that is given only while the first is in use."""
    sign = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        assert sign.wait(timeout=30)
        yield 2

    got = []
    for item in ahead(items()):
        got.append(item)
        sign.set()
    assert got == [1, 2]


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("a damaged file")

    got = []
    with pytest.raises(ValueError, match="a damaged file"):
        for item in ahead(items()):
            got.append(item)
    assert got == [1]


def test_work_that_goes_on_is_told_that_it_is_left() -> None:
    """The second item would never be done; the test would hang."""
    left = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        assert left.wait(timeout=60)
        yield 2

    for _ in ahead(items(), left.set):
        break
    assert left.is_set()


def test_leaving_early_makes_one_item_more_at_most() -> None:
    made = []

    def items() -> Iterator[int]:
        for item in range(100):
            made.append(item)
            yield item

    for _ in ahead(items()):
        break
    assert len(made) <= 2


def test_few_threads_are_left_to_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Brightness()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert not has_room(model)
    monkeypatch.setattr(model, "on_gpu", True)
    assert has_room(model)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    assert has_room(Brightness())
