"""A network and a truth in the classes that two data sets have in common."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from partialseg.confusion import ConfusionMatrix
from partialseg.core.classes import IGNORE_INDEX
from partialseg.engine.batches import Batch, TruthPatches, truth_loader
from partialseg.engine.compute import Compute
from partialseg.engine.scoring import Scorer
from partialseg.evaluation.params import Evaluate
from partialseg.tiling.patches import Patch, PatchStore
from partialseg.transfer.params import COMMON

CommonIds = Sequence[int | None]  # of each class: its place in COMMON, None: ignored


class CommonClasses(nn.Module):
    """A network whose logits (N, len(COMMON), H, W) are those of the common classes.

    The probability of a common class is the sum of those of the classes that are listed under it.
    An ignored class is never the answer, nor is a common one without any class.
    """

    def __init__(self, network: nn.Module, common_ids: CommonIds) -> None:
        super().__init__()
        self.network = network
        self.members = [
            [place for place, id_ in enumerate(common_ids) if id_ == common]
            for common in range(len(COMMON))
        ]

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of images (N, 3, H, W), float32."""
        logits: Tensor = self.network(images).float()
        never = torch.full_like(logits[:, 0], -torch.inf)
        return torch.stack(
            [
                # The logarithm of a sum of probabilities, but for a constant.
                logits[:, places].logsumexp(dim=1) if places else never
                for places in self.members
            ],
            dim=1,
        )


class CommonTruth(TruthPatches):
    """Patches and their truth in common classes, IGNORE_INDEX where a class is not scored."""

    def __init__(self, store: PatchStore, patches: Sequence[Patch], common_ids: CommonIds) -> None:
        super().__init__(store, patches)
        ids = [IGNORE_INDEX if id_ is None else id_ for id_ in common_ids]
        # IGNORE_INDEX, -1, takes the last entry.
        self._table = torch.tensor([*ids, IGNORE_INDEX], dtype=torch.int16)

    def __getitem__(self, index: int) -> Batch:
        image, label = super().__getitem__(index)
        return image, self._table[label.long()]


def score_common(
    network: CommonClasses, truth: CommonTruth, params: Evaluate, compute: Compute
) -> ConfusionMatrix:
    """Return the confusion matrix of the common classes; it has len(COMMON) of them.

    Raises:
        ValueError: no pixel has a truth.
    """
    scorer = Scorer(num_classes=len(COMMON), class_weights=None, compute=compute)
    return scorer.score(network, truth_loader(truth, params.batch_size, params.workers)).confusion
