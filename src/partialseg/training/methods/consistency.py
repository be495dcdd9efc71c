"""The method consistency: weak-to-strong, with the average of the weights as the teacher.

The teacher predicts the images as they are; where it is confident, the student, the network in
training, must predict the same on a strongly augmented view of them.
Source: FixMatch, Sohn et al. 2020, arXiv:2001.07685, in the form of UniMatch, Yang et al. 2023,
arXiv:2208.09910.
"""

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat
from pydantic.dataclasses import dataclass
from torch import Tensor

from partialseg.core.classes import IGNORE_INDEX
from partialseg.core.params import STRICT, Share
from partialseg.engine.scoring import predict_logits
from partialseg.training.methods.method import Part, Stateless, has_image
from partialseg.training.methods.strong_views import cutmix_boxes, mix, partners, strong_augment


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Consistency:
    """Weight of the term, and how targets and views are made.

    weight is relative to the supervised loss (0: off) and rises over the first share `ramp_up` of
    the steps; threshold is the confidence from which the teacher's class is a target; cutmix is
    the probability that a rectangle of an image is replaced by that of another.
    """

    weight: NonNegativeFloat
    threshold: Share
    cutmix: Share
    ramp_up: Share


class ConsistencyMethod(Stateless):
    """Adds the loss of a second forward pass, on strong views of the images."""

    def __init__(self, params: Consistency) -> None:
        self._params = params

    def term(self, part: Part) -> Tensor:
        """Return the weighted loss, the mean over the heads."""
        weight = self._params.weight * ramp(part.step, part.steps, self._params.ramp_up)
        if not weight:
            return part.zero()
        part.scored.eval()
        with torch.no_grad():
            teacher = predict_logits(part.scored, part.images, part.compute)
        generator = torch.Generator().manual_seed(part.draw)
        images, targets = strong_views(part.images, teacher, part.labels, self._params, generator)
        losses = [consistency_loss(head, targets) for head in part.network(images)]
        return weight * torch.stack(losses).mean()


def strong_views(
    images: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    params: Consistency,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Return the images that the student sees and the targets that it should predict.

    The images are strongly augmented and then mixed, each with the next of the batch; the targets,
    made from the images as they were, are mixed alike. In a batch of one nothing is mixed. All
    random draws come from the generator.
    Source: FixMatch, Sohn et al. 2020, arXiv:2001.07685, with the CutMix of French et al. 2020,
    arXiv:1906.01916, in the order of UniMatch, Yang et al. 2023, arXiv:2208.09910.

    Args:
        images: (N, 3, H, W), uint8, weakly augmented, as the teacher has seen them.
        teacher_logits: (N, C, H, W), float.
        labels: (N, H, W), int64, IGNORE_INDEX where unlabelled.
        params: threshold and cutmix.
        generator: a generator of the CPU; the tensors may be on any device.

    Returns:
        (N, 3, H, W), uint8, and (N, H, W), int64, IGNORE_INDEX where there is no target.
    """
    count, _, height, width = images.shape
    targets = pseudo_labels(teacher_logits, labels, params.threshold)
    # What a teacher says of pixels without an image means nothing.
    targets = targets.masked_fill((labels == IGNORE_INDEX) & ~has_image(images), IGNORE_INDEX)
    strong = strong_augment(images, generator)
    boxes = cutmix_boxes(count, height, width, generator)
    mixed = torch.rand(count, generator=generator, dtype=torch.float64) < params.cutmix
    boxes = (boxes & mixed[:, None, None]).to(images.device)
    return mix(strong, partners(strong), boxes), mix(targets, partners(targets), boxes)


def pseudo_labels(teacher_logits: Tensor, labels: Tensor, threshold: float) -> Tensor:
    """Return the targets of the pixels: int64 (N, H, W), IGNORE_INDEX for none.

    A labelled pixel has its label, any other the teacher's class where its softmax probability is
    at least the threshold. FixMatch and UniMatch use images without any label and do not face this
    choice. Where some pixels of every image are labelled, ReCo (Liu et al. 2022, arXiv:2104.04465,
    partial labels) uses those labels at full confidence, and so do we: the teacher can only be
    worse there. The supervised loss uses the same labels, but on the weak view and before CutMix
    moves them. No gradient flows to the teacher.

    Args:
        teacher_logits: (N, C, H, W), float; softmax in float32.
        labels: (N, H, W), int64, IGNORE_INDEX where unlabelled.
        threshold: 0..1.
    """
    confidence, predicted = teacher_logits.detach().float().softmax(dim=1).max(dim=1)
    # A comparison with NaN is False, so that it makes no target.
    sure = torch.where(confidence >= threshold, predicted, IGNORE_INDEX)
    return torch.where(labels != IGNORE_INDEX, labels, sure)


def consistency_loss(student_logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of the pixels with a target over the number of ALL pixels.

    sum over targets of -log softmax(logits)[y], divided by N * H * W. As in FixMatch and
    UniMatch (which leaves out padding only) the share of pixels with a target scales the loss: it
    is small while the teacher is confident about few pixels, and grows as it learns. (Partial
    cross-entropy divides by the labelled pixels instead, since their number is fixed.) Without a
    target it is 0, with zero gradients. Computed in float32.
    Source: Sohn et al. 2020, arXiv:2001.07685, equation 4.

    Args:
        student_logits: (N, C, H, W), float.
        targets: (N, H, W), int64, IGNORE_INDEX for none.
    """
    # Summed here: CUDA's own sum over the pixels adds in changing order.
    losses = F.cross_entropy(
        student_logits.float(), targets, ignore_index=IGNORE_INDEX, reduction="none"
    )
    return losses.sum() / targets.numel()


def ramp(step: int, steps: int, share: float) -> float:
    """Return the factor, 0..1, of the weight at step 0, 1, ..., steps - 1.

    It rises linearly from 0 over the first `share` of the steps, then stays 1; with a share of 0 it
    is 1 from the start.
    """
    rise = share * steps
    return min(1.0, step / rise) if rise else 1.0
