"""What is predicted for each patch, in a file: for many patches memory would not hold it."""

from math import prod
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


class Spool(Generic[T]):
    """Arrays of one shape and type, appended in order and read at any place.

    The file is nameless, in a folder of the caller's (the system's own may be held in memory), and
    ends with the block.
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
