"""Work that goes on while its result is used."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
END = object()


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield items of which the next is already being made, in a thread of its own."""
    iterator = iter(items)
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, iterator, END)
        while (item := following.result()) is not END:
            following = pool.submit(next, iterator, END)
            yield item  # type: ignore[misc]  # END is none
