"""Which pixels of many patches come first by a 64-bit order, and shares of a label budget.

Only one patch is in memory at a time: scores and predictions wait in a file.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

DIGIT = 16  # bits of the limit that a pass over the patches finds
LEVELS = 2**DIGIT  # of a score
KEY_BITS = 64 - DIGIT
Orders = NDArray[np.uint64]
OrdersOf = Callable[[int], Orders]  # of the unlabelled pixels of a patch, by its place
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The last pixel that is chosen: its order, and the place of its patch among equal ones."""

    order: int
    place: int

    def holds(self, orders: Orders, place: int) -> NDArray[np.bool_]:
        """Return which pixels of a patch are not beyond the limit."""
        limit = np.uint64(self.order)
        return orders <= limit if place <= self.place else orders < limit


def score_levels(scores: NDArray[np.floating], highest: float) -> NDArray[np.uint16]:
    """Return scores in 0..highest as levels 0..LEVELS-1 of equal width."""
    levels = np.rint(np.clip(scores / highest, 0, 1) * (LEVELS - 1))
    return levels.astype(np.uint16)


def best_first(levels: NDArray[np.uint16], keys: NDArray[np.uint64]) -> Orders:
    """Return orders that rise as the levels fall, and by the keys among equal levels.

    The lower bits of the keys are used, as pixel_keys has the number of the pixel there.
    """
    falling = np.uint64(LEVELS - 1) - levels.astype(np.uint64)
    return falling << np.uint64(KEY_BITS) | keys & np.uint64(2**KEY_BITS - 1)


def find_limit(orders_of: OrdersOf, places: int, count: int) -> Limit:
    """Return the limit that holds exactly the `count` > 0 smallest orders of all patches.

    Orders within a patch must differ; among equal ones of several patches the earlier place comes
    first. Two passes count the orders by their next 16 bits; the third sorts the few that share
    their upper 32 bits with the limit.

    Raises:
        ValueError: there are fewer than `count` pixels.
    """
    prefix, left = 0, count  # the upper bits of the limit; how many orders with these are wanted
    for shift in (64 - DIGIT, 64 - 2 * DIGIT):
        histogram = np.zeros(2**DIGIT, np.int64)
        for place in range(places):
            digits = _with_prefix(orders_of(place), prefix, shift + DIGIT) >> np.uint64(shift)
            digits &= np.uint64(2**DIGIT - 1)
            histogram += np.bincount(digits.astype(np.int64), minlength=2**DIGIT)
        up_to = histogram.cumsum()
        if up_to[-1] < left:
            raise ValueError(f"not enough pixels left: {count} wanted, {up_to[-1]} are unlabelled")
        digit = int(np.searchsorted(up_to, left))
        left -= int(up_to[digit] - histogram[digit])
        prefix = prefix << DIGIT | digit
    few = [_with_prefix(orders_of(place), prefix, 64 - 2 * DIGIT) for place in range(places)]
    orders = np.concatenate(few)
    of_place = np.repeat(np.arange(places), [len(part) for part in few])
    last = np.lexsort((of_place, orders))[left - 1]
    return Limit(order=int(orders[last]), place=int(of_place[last]))


def _with_prefix(orders: Orders, prefix: int, shift: int) -> Orders:
    """Return the orders whose bits from `shift` up are the prefix."""
    if shift == 64:
        return orders
    return orders[orders >> np.uint64(shift) == np.uint64(prefix)]


def fill_level(labelled: NDArray[np.int64], pixels: int, budget: int) -> int:
    """Return the number of labelled pixels to which each patch (of so many pixels) is filled up.

    It is the largest for which all patches together, of which labelled (P,) pixels have a label,
    need no more new pixels than the budget.
    """
    low, high = 0, pixels
    while low < high:
        middle = (low + high + 1) // 2
        if int(np.maximum(middle - labelled, 0).sum()) <= budget:
            low = middle
        else:
            high = middle - 1
    return low


def equal_shares(
    available: Sequence[int], rarest_first: Sequence[int], budget: int
) -> tuple[int, ...]:
    """Share a budget of pixels equally among classes, as far as each has pixels (C,).

    What a class cannot take goes to the others in equal parts; a remainder goes to the classes
    that come first in rarest_first, a pixel each.

    Raises:
        ValueError: all classes together have fewer pixels.
    """
    if sum(available) < budget:
        raise ValueError(
            f"not enough pixels left: {budget} wanted, {sum(available)} are unlabelled"
        )
    shares, left = [0] * len(available), budget
    while left:
        unfilled = [index for index in rarest_first if shares[index] < available[index]]
        each = max(1, left // len(unfilled))
        for index in unfilled[:left]:
            more = min(each, available[index] - shares[index])
            shares[index] += more
            left -= more
    return tuple(shares)


class Spool(Generic[T]):
    """Arrays of one shape and type in a temporary file, appended in order and read at any place.

    The file has no name, lies in a folder that the caller chooses (the system's folder for
    temporary files may be in memory), and is deleted at the end of the `with` block.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: type[T]) -> None:
        self._shape = shape
        self._dtype: np.dtype[T] = np.dtype(dtype)
        self._bytes = prod(shape) * self._dtype.itemsize
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115  (closed by __exit__)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(self, array: NDArray[T]) -> None:
        """Write the next array."""
        assert array.shape == self._shape and array.dtype == self._dtype, (array.shape, array.dtype)
        self._file.write(np.ascontiguousarray(array).data)

    def __getitem__(self, place: int) -> NDArray[T]:
        self._file.seek(place * self._bytes)
        return np.frombuffer(self._file.read(self._bytes), self._dtype).reshape(self._shape)
