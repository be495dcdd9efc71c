"""What two processes compute in tests/engine/test_ranks.py: the processes import it by its name."""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader

from partialseg.engine.ranks import Ranks
from partialseg.engine.scoring import Scorer
from partialseg.training.sync_batchnorm import synchronise_batchnorm
from small_run import CPU, Lookup

Work = Callable[..., Any]


def join(rank: int, works: tuple[tuple[Work, tuple[Any, ...]], ...], folder: str) -> None:
    torch.set_num_threads(1)
    rendezvous = f"file://{folder}/rendezvous"
    dist.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    for work, arguments in works:
        result = work(Ranks(rank=rank, count=2), *arguments)
        torch.save(result, f"{folder}/{work.__name__}{rank}.pt")
    dist.destroy_process_group()


def sum_and_share(ranks: Ranks) -> Any:
    own = torch.tensor([[1, 2], [3, 4]]) * (ranks.rank + 1)
    total = ranks.sum(own)
    shared = ranks.share({"from": ranks.rank, "weights": torch.ones(2) * ranks.rank})
    largest = ranks.largest(3 - ranks.rank), ranks.largest(3 + ranks.rank)
    return own, total, shared["from"], shared["weights"], ranks.first, largest


def halves(ranks: Ranks, network: nn.Module, images: torch.Tensor) -> Any:
    """Return output, gradients of its squares and state of a rank's half of the images."""
    synchronised = synchronise_batchnorm(network, CPU.device)
    own = images[ranks.rank :: 2].clone().requires_grad_()
    output = synchronised.train()(own)
    (output**2).sum().backward()
    gradients = [ranks.sum(weight.grad) for weight in synchronised.parameters()]
    return output.detach(), own.grad, gradients, synchronised.state_dict()


def scores_of(ranks: Ranks, images: list[tuple[torch.Tensor, torch.Tensor]]) -> Any:
    batches = DataLoader(images[ranks.rank :: ranks.count], 1)  # type: ignore[arg-type]
    table = torch.tensor([[0.75, 0.25], [0.25, 0.75]]).log().tolist()
    scorer = Scorer(num_classes=2, class_weights=None, compute=CPU, ranks=ranks)
    scores = scorer.score(Lookup(table), batches)
    return scores.confusion.counts, scores.loss, scores.batch_miou
