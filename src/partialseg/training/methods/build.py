"""The methods for unlabelled pixels, by name."""

from typing import Literal

from pydantic.dataclasses import dataclass
from torch import nn

from partialseg.core.params import STRICT
from partialseg.training.methods.consistency import Consistency, ConsistencyMethod
from partialseg.training.methods.gated_crf import GatedCrf, GatedCrfMethod
from partialseg.training.methods.method import Method
from partialseg.training.methods.pseudo_labels import PseudoLabels, PseudoLabelsMethod

MethodName = Literal["none", "pseudo_labels", "consistency", "gated_crf"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Methods:
    """The parameters of each method; only those of the chosen one matter."""

    pseudo_labels: PseudoLabels
    consistency: Consistency
    gated_crf: GatedCrf


def build_method(name: MethodName, params: Methods, network: nn.Module) -> Method | None:
    """Return the method of this name for a network, None for "none"."""
    match name:
        case "none":
            return None
        case "pseudo_labels":
            return PseudoLabelsMethod(params.pseudo_labels, network)
        case "consistency":
            return ConsistencyMethod(params.consistency)
        case "gated_crf":
            return GatedCrfMethod(params.gated_crf)
