"""The method pseudo_labels: a second round on the confident predictions of the first one.

Source: Lee 2013, Pseudo-Label, ICML workshop on challenges in representation learning.
"""

from copy import deepcopy
from typing import Annotated, Any

import torch
from pydantic import Field, NonNegativeFloat
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from partialseg.core.classes import IGNORE_INDEX
from partialseg.core.params import STRICT, Share
from partialseg.engine.scoring import predict_logits
from partialseg.training.methods.consistency import consistency_loss, pseudo_labels
from partialseg.training.methods.method import Part, has_image


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PseudoLabels:
    """Weight of the term, and the confidence from which a prediction is used as a label.

    first_round is the share of the training steps before the term is added.
    """

    weight: NonNegativeFloat
    threshold: Share
    first_round: Annotated[float, Field(gt=0, lt=1)]


class PseudoLabelsMethod:
    """Adds the cross-entropy against the predictions of the network that ended the first round.

    That network is frozen and predicts each batch as it comes: no predictions have to be stored
    between the rounds. The second round continues from the weights of the first, so that both
    together take the steps of one training.
    """

    def __init__(self, params: PseudoLabels, network: nn.Module) -> None:
        self._params = params
        self._teacher = deepcopy(network).requires_grad_(False).eval()
        self._taught = False

    def term(self, part: Part) -> Tensor:
        """Return the weighted loss of the unlabelled pixels; 0 in the first round."""
        first_round = part.step < self._params.first_round * part.steps
        if first_round or not self._params.weight:
            return part.zero()
        if not self._taught:
            self._teacher.load_state_dict(part.scored.state_dict())
            self._taught = True
        with torch.no_grad():
            teacher = predict_logits(self._teacher, part.images, part.compute)
        targets = pseudo_labels(teacher, part.labels, self._params.threshold)
        left_out = (part.labels != IGNORE_INDEX) | ~has_image(part.images)
        targets = targets.masked_fill(left_out, IGNORE_INDEX)
        losses = [consistency_loss(head, targets) for head in part.outputs]
        return self._params.weight * torch.stack(losses).mean()

    def state(self) -> dict[str, Any]:
        """Return the frozen network, once there is one."""
        return {"teacher": self._teacher.state_dict() if self._taught else None}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over the frozen network of another instance."""
        self._taught = state["teacher"] is not None
        if self._taught:
            self._teacher.load_state_dict(state["teacher"])
