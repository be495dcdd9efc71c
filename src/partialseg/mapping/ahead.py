"""Work that goes on while its result is used."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
END = object()


def ahead(items: Iterable[T], on_leaving: Callable[[], object] = lambda: None) -> Generator[T]:
    """Yield items of which the next is already being made, in a thread of its own.

    on_leaving is called before that thread is waited for, also where the items were left early.
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
