"""Clients of Dask's schedulers: of one on this machine, or of a given one."""

import logging
import time
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import TypeVar

from distributed import Client, Future, LocalCluster, wait
from distributed.scheduler import KilledWorker
from distributed.utils import LoopRunner
from tornado.ioloop import IOLoop

T = TypeVar("T")
DIED = "its worker died each time that it was tried; perhaps there is too little memory"
ANSWER_SECONDS = 20  # of a scheduler
START_TRIES = 12
POLL_SECONDS = 0.2


@contextmanager
def event_loop() -> Iterator[IOLoop]:
    """Yield a running event loop for Dask.

    Dask gives its loop 10 s to start, which is too little for a machine that stands still for a
    while. What it logs, also while the loop ends, is for its developers.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    for left in reversed(range(START_TRIES)):
        runner = LoopRunner(asynchronous=False)
        try:
            runner.start()
            break
        except AssertionError:
            if not left:
                raise
    try:
        yield runner.loop
    finally:
        runner.stop()


@contextmanager
def local_workers(number: int, threads: int, resources: Mapping[str, float]) -> Iterator[Client]:
    """Start a cluster of so many workers on this machine, for as long as the block lasts."""
    # That of Dask's dashboard, which nobody is told about.
    warnings.filterwarnings("ignore", r"Port \d+ is already in use")
    with (
        event_loop() as loop,
        LocalCluster(
            n_workers=number,
            threads_per_worker=threads,
            resources=dict(resources),
            memory_limit=0,  # Dask would end workers that it thinks too large
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
            loop=loop,
        ) as cluster,
        Client(cluster, loop=loop) as client,
    ):
        yield client


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Connect to a scheduler.

    Raises:
        ValueError: it does not answer.
    """
    with event_loop() as loop:
        try:
            client = Client(address, timeout=ANSWER_SECONDS, loop=loop)
        except ValueError as error:
            raise ValueError(f"scheduler {address}: no address of one: {error}") from None
        except OSError as error:  # TimeoutError is one
            raise ValueError(f"scheduler {address}: does not answer: {error}") from None
        except MemoryError:  # for what Dask takes for the length of a message
            raise ValueError(
                f"scheduler {address}: what answers there is no Dask scheduler"
            ) from None
        with client:
            yield client


def ended(running: dict[Future[str], T]) -> list[tuple[Future[str], T]]:
    """Take what has ended out of `running` and return it, after waiting for a second at most."""
    if not running:
        time.sleep(POLL_SECONDS)
        return []
    with suppress(TimeoutError, CancelledError):
        wait(list(running), timeout=1, return_when="FIRST_COMPLETED")
    # A future that is kept after its end makes Dask repeat its task if the worker that holds the
    # result dies.
    return [(future, running.pop(future)) for future in list(running) if future.done()]


def failure_of(future: Future[str], advice: str) -> str:
    """Return why what has ended failed, '' if it did not; advice is for want of memory."""
    if future.cancelled():
        return "its scheduler is gone"
    error = future.exception()
    if isinstance(error, KilledWorker):
        return f"{DIED}: {advice}"
    if error is None or isinstance(error, (ValueError, OSError)):
        return str(error or "")
    return f"{type(error).__name__}: {error}"
