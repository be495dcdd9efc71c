"""The method gated_crf: unlabelled pixels follow their neighbours of like colour."""

import torch
from torch import Tensor

from partialseg.gated_crf import GatedCrf, gated_crf
from partialseg.methods.method import Part, Stateless


class GatedCrfMethod(Stateless):
    """Adds the gated CRF loss of the predictions.

    Source: Obukhov et al. 2019, arXiv:1906.04651.
    """

    def __init__(self, params: GatedCrf) -> None:
        self._params = params

    def term(self, part: Part) -> Tensor:
        """Return the weighted loss, the mean over the heads."""
        if not self._params.weight:
            return part.nothing()
        energies = [gated_crf(head, part.images, self._params) for head in part.outputs]
        return self._params.weight * torch.stack(energies).mean()
