"""Make the next item while one is used, where that does not slow the network."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from partialseg.mapping.model import Model

T = TypeVar("T")
END = object()
# With so many threads of the network or fewer, a thread beside them takes more time from it than
# it saves: 18 Mpx took 12.7 s with threads that read and write, and 11.3 s without, on two cores.
FEW_THREADS = 4


def has_room(model: Model) -> bool:
    """Return whether reading and writing beside the network would not slow it."""
    return model.on_gpu or torch.get_num_threads() > FEW_THREADS


def ahead(items: Iterable[T], on_leaving: Callable[[], object] = lambda: None) -> Generator[T]:
    """Yield items while a thread of its own already makes the next one.

    on_leaving is called before that thread is waited for, also if the caller stops early.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1) as pool:
        try:
            following = pool.submit(next, iterator, END)
            while (item := following.result()) is not END:
                following = pool.submit(next, iterator, END)
                yield item  # type: ignore[misc]  # END is none
        finally:
            on_leaving()
