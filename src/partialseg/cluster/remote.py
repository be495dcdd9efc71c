"""Calls on workers that lack this package: its code is found in a folder that they see.

What is here goes to the workers, and to schedulers that cannot import it either, by value.
"""

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle

import partialseg

SRC = Path(partialseg.__file__).resolve().parents[1]


def call(source: str, pickled: bytes) -> Any:
    """Call, on a worker, a pickled (function, arguments) of the package in a folder.

    Raises:
        ValueError: the worker does not see the folder, or has imported another version of its code.
    """
    if not Path(source, "partialseg").is_dir():
        raise ValueError(f"does not see {source}")
    if source not in sys.path:
        sys.path.insert(0, source)
    try:
        function, arguments = pickle.loads(pickled)
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(f"cannot import the code in {source}: {error}") from error
    return function(*arguments)


def by_value() -> Callable[[str, bytes], Any]:
    """Return call() as a function that schedulers and workers without this package can unpickle.

    Of a function at the top level Dask would send the name alone.
    """
    cloudpickle.register_pickle_by_value(sys.modules[__name__])

    def on_worker(source: str, pickled: bytes) -> Any:
        return call(source, pickled)

    return on_worker


async def offer(resource: str, dask_worker: Any) -> None:
    """Let a worker take tasks that need a resource, one at a time."""
    await dask_worker.set_resources(**{resource: 1})


def packed(function: Any, *arguments: Any) -> tuple[str, bytes]:
    """Return the arguments of call() for a function of this package, on any worker."""
    return str(SRC), pickle.dumps((function, arguments))
