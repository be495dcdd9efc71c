"""Several processes that train one network together, by torch.distributed."""

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import NoReturn, TypeVar
from uuid import uuid4

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """The place of this process, 0 <= rank < count, among those that share each batch.

    local_rank is its place among those of this machine; the GPU of that number is its own.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """Return the sum of the ranks' tensors, of equal shape and type; all ranks must call it."""
        if self.count == 1:
            return tensor
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        total = tensor.to(device, copy=True)
        dist.all_reduce(total)
        return total.to(tensor.device)

    def largest(self, value: int) -> int:
        """Return the largest of the ranks' values; all ranks must call it."""
        if self.count == 1:
            return value
        held = torch.tensor(value, device="cuda" if dist.get_backend() == "nccl" else "cpu")
        dist.all_reduce(held, dist.ReduceOp.MAX)
        return int(held)

    def share(self, value: T) -> T:
        """Return the first rank's value on every rank; all ranks must call it."""
        if self.count == 1:
            return value
        holder = [value]
        dist.broadcast_object_list(holder, src=0)
        return holder[0]


ALONE = Ranks()


def launched() -> bool:
    """Whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def launch(processes: int) -> NoReturn:
    """Run this command as several processes of this machine, as torchrun does, and exit with it.

    The output is that of the first one.
    """
    # Imported here: training in one process does not need them.
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        run_id=uuid4().hex,
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(local_ranks_filter={0}),
    )
    logging.disable(logging.CRITICAL)  # torch's launcher would repeat the error below
    try:
        elastic_launch(config, sys.executable)(*sys.argv)
    except ChildFailedError as error:
        first = min(error.failures)
        status = error.failures[first].exitcode
        if status < 0:
            name = signal.Signals(-status).name
            print(f"error: training process {first} was ended by {name}", file=sys.stderr)
        elif first != 0:  # the first process prints its own error
            print(
                f"error: training process {first} failed; run the command under torchrun to see "
                "its output",
                file=sys.stderr,
            )
        raise SystemExit(max(1, status)) from None
    except SignalException as error:
        raise SystemExit(128 + error.sigval) from None
    raise SystemExit(0)


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that torchrun has started, by NCCL on GPUs, else by Gloo.

    Raises:
        ValueError: this machine has fewer GPUs than processes.
    """
    if not launched():
        yield ALONE
        return
    place = Ranks(
        rank=int(os.environ["RANK"]),
        count=int(os.environ["WORLD_SIZE"]),
        local_rank=int(os.environ["LOCAL_RANK"]),
    )
    if torch.cuda.is_available():
        gpus = torch.cuda.device_count()
        if place.local_rank >= gpus:
            raise ValueError(f"process {place.local_rank + 1} of this machine: it has {gpus} GPUs")
        torch.cuda.set_device(place.local_rank)
    Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    if torch.cuda.is_available():
        # With its device NCCL starts here, and what is wrong with it shows before the first step.
        device = torch.device("cuda", place.local_rank)
        dist.init_process_group("nccl", device_id=device)
    else:
        dist.init_process_group("gloo")
    try:
        yield place
    finally:
        dist.destroy_process_group()


def _end_with(launcher: int) -> None:
    """End this process when its launcher is gone, or it would train on and lock its folder."""
    while os.getppid() == launcher:
        time.sleep(0.5)
    os._exit(1)
