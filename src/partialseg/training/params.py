"""The section train of params.yaml: how a network is trained."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from partialseg.core.params import STRICT, Share
from partialseg.engine.compute import Precision
from partialseg.models.blocks import STRIDE
from partialseg.training.augment import Augment
from partialseg.training.losses import ClassWeights, Terms
from partialseg.training.methods.build import MethodName, Methods

Auto = Literal["auto"]
Schedule = Literal["constant", "cosine", "one_cycle"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Train:
    """How a network is trained on partial cross-entropy and the terms added to it.

    base_channels is the width of the first level; deep_supervision concerns UNet++ alone.
    crop is the side in px of the random square crops that an epoch shows of the patches, about
    as many as have the pixels of the patches (0: whole patches). A step takes batch_size patches or
    crops in all, shared by `processes` (one per GPU; auto: one for each GPU that there is), each
    of which computes its share in `accumulation` parts, one after the other, to save memory (auto:
    the fewest that fit on the GPU), on a CPU with so many `threads`.
    checkpointing saves memory too: the activations of a block are computed again in the backward
    pass.
    sampling tells whether an epoch shows every labelled patch equally often ("patches") or in
    proportion to its labelled pixels ("pixels").
    warmup is the share of the steps in which the learning rate rises; ema_decay the decay of the
    average of the weights that is scored and saved (0: no average). Training stops after
    `patience` epochs without a better validation mIoU (0: never); select is the epoch whose weights
    are saved, the best by that score (of pseudo_labels, in the second round) or the last. loss
    adds terms on the labelled pixels, method a term on the unlabelled ones, with its own section
    of methods. workers are the processes that load patches for each training process (0: none, it
    loads them itself).
    """

    base_channels: PositiveInt
    deep_supervision: bool
    epochs: PositiveInt
    crop: NonNegativeInt
    batch_size: PositiveInt
    processes: PositiveInt | Auto
    accumulation: PositiveInt | Auto
    threads: PositiveInt
    sampling: Literal["patches", "pixels"]
    optimizer: Literal["adam", "adamw", "muon"]
    learning_rate: PositiveFloat
    schedule: Schedule
    warmup: Share
    weight_decay: NonNegativeFloat
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    patience: NonNegativeInt
    select: Literal["best", "last"]
    class_weights: ClassWeights
    loss: Terms
    method: MethodName
    methods: Methods
    precision: Precision
    checkpointing: bool
    compile: bool
    deterministic: bool
    workers: NonNegativeInt
    augment: Augment

    def __post_init__(self) -> None:
        if 0 < self.crop < STRIDE:
            raise ValueError(
                f"crop must be 0 (whole patches) or at least {STRIDE} px, the least side that the "
                f"networks take, got {self.crop}"
            )
        if self.processes != "auto" and self.accumulation != "auto":
            self._check_parts(self.processes * self.accumulation)
        if self.compile and self.checkpointing:
            raise ValueError(
                "checkpointing and compile: torch.compile cannot trace it; set one of them to false"
            )
        if self.method == "consistency" and not self.ema_decay:
            raise ValueError(
                "method consistency has the average of the weights as its teacher: ema_decay must "
                "be above 0, got 0"
            )
        if self.method == "pseudo_labels" and self.patience:
            raise ValueError(
                "method pseudo_labels has a second round, which has to be reached: patience must "
                f"be 0, got {self.patience}"
            )

    @property
    def parts(self) -> int:
        """The number of accumulation, which is no longer auto."""
        assert self.accumulation != "auto"
        return self.accumulation

    def _check_parts(self, parts: int) -> None:
        """Check the batch against its parts on all processes, once both are numbers."""
        if self.batch_size < parts:
            raise ValueError(
                f"batch_size {self.batch_size} is less than its parts: processes {self.processes} "
                f"x accumulation {self.accumulation}; raise it, or lower accumulation"
            )
        cutmix = self.methods.consistency.cutmix
        if self.method == "consistency" and cutmix and self.batch_size < 2 * parts:
            raise ValueError(
                f"method consistency mixes the patches of a part (cutmix {cutmix}): batch_size "
                f"{self.batch_size} in {parts} parts leaves one alone; raise it, or set cutmix to 0"
            )
