"""The method consistency: a distorted image gets the answer that a teacher gives to the plain one.

Source: FixMatch, Sohn et al. 2020, arXiv:2001.07685; with CutMix for segmentation, French et al.
2020, arXiv:1906.01916; as the one strong stream of UniMatch, Yang et al. 2023, arXiv:2208.09910.
The teacher is the moving average of the weights, as in Mean Teacher (arXiv:1703.01780).
"""

import torch
from torch import Tensor

from partialseg.consistency import Consistency, consistency_loss, ramp, strong_views
from partialseg.methods.method import Part, Stateless
from partialseg.scoring import predict_logits


class ConsistencyMethod(Stateless):
    """Adds the loss of a second pass, on strong views of the images."""

    def __init__(self, params: Consistency) -> None:
        self._params = params

    def term(self, part: Part) -> Tensor:
        """Return the weighted loss, the mean over the heads."""
        weight = self._params.weight * ramp(part.step, part.steps, self._params.ramp_up)
        if not weight:
            return part.nothing()
        part.scored.eval()
        with torch.no_grad():
            teacher = predict_logits(part.scored, part.images, part.compute)
        generator = torch.Generator().manual_seed(part.draw)
        images, targets = strong_views(part.images, teacher, part.labels, self._params, generator)
        losses = [consistency_loss(head, targets) for head in part.network(images)]
        return weight * torch.stack(losses).mean()
