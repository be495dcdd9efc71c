"""The workers that can do a job: each is asked to prepare itself, and refused by name if not."""

import sys
import time
from concurrent.futures import CancelledError
from contextlib import suppress

from distributed import Client, Future

from partialseg.cluster.clients import failure_of
from partialseg.cluster.remote import by_value, offer, packed
from partialseg.cluster.worker import Job, prepare

NO_WORKER_SECONDS = 120
PREPARE_SECONDS = 600
MOST_LOST = 4  # workers that die while they prepare themselves


class Crew:
    """The workers of a scheduler that are ready for a job, as workers come and go.

    Each worker is asked to prepare itself when it is first seen. It gets tasks if what runs the
    network there is `runtime` ('': as on the first one that answers).
    """

    def __init__(self, client: Client, job: Job) -> None:
        self.runtime = job.runtime
        self._client, self._job = client, job
        self._asked: dict[str, Future[str]] = {}  # by address
        self.ready: set[str] = set()  # their addresses
        self._refused: dict[str, str] = {}  # why
        self._lost = 0
        self._last = time.monotonic()  # when a worker was ready

    @property
    def resource(self) -> str:
        """What each worker that is ready has one of, and no other worker."""
        return self._job.topic

    def size(self) -> int:
        """Return how many workers are ready.

        Raises:
            ValueError: there is none, and none to wait for, or the scheduler is gone.
        """
        try:
            there = set(self._client.scheduler_info(n_workers=-1)["workers"])
        except (OSError, CancelledError) as error:
            raise ValueError(f"the scheduler does not answer any more: {error}") from None
        for address in there - self._asked.keys() - self.ready - self._refused.keys():
            self._asked[address] = self._client.submit(
                by_value(), *packed(prepare, self._job), workers=[address], pure=False
            )
        for address in self._asked.keys() - there:  # its answer will never come
            self._asked.pop(address).cancel()
            self._lost += 1
        for address in [address for address, future in self._asked.items() if future.done()]:
            self._take(address, self._asked.pop(address))
        self.ready &= there
        if self.ready:
            self._last = time.monotonic()
        else:
            self._check(there)
        return len(self.ready)

    def _take(self, address: str, answer: Future[str]) -> None:
        why = failure_of(answer, "take fewer workers")
        runtime = "" if why else answer.result()
        self.runtime = self.runtime or runtime
        if not why and runtime != self.runtime:
            why = f"has {runtime}, not {self.runtime}"
        if why:
            self._refused[address] = why
            print(f"worker {address} is refused: {why}", file=sys.stderr, flush=True)
            return
        with suppress(OSError, CancelledError):  # it is gone again
            self._client.run(offer, self.resource, workers=[address])
            self.ready.add(address)

    def _check(self, there: set[str]) -> None:
        if there and there <= self._refused.keys():
            *_, (address, why) = self._refused.items()
            raise ValueError(f"no worker can predict; {address}: {why}")
        if self._lost >= MOST_LOST:
            raise ValueError(
                "workers die while they load the network; perhaps there is too little memory"
            )
        seconds = PREPARE_SECONDS if self._asked else NO_WORKER_SECONDS
        if time.monotonic() - self._last > seconds:
            raise ValueError(f"for {seconds} s the scheduler has had no worker that can predict")
