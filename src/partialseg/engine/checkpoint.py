"""The checkpoint of a training run: weights, how to use them, and how they were trained."""

import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from partialseg.core.files import new_file
from partialseg.engine.curves import EpochRecord
from partialseg.models.build import build_network
from partialseg.tiling.patches import Imagery

BEST = "best.pt"
LAST = "last.pt"
# What torch.load raises on damaged bytes, found by flipping them.
DAMAGED = (OSError, RuntimeError, EOFError, ValueError, IndexError, pickle.UnpicklingError)


@dataclass(frozen=True, kw_only=True)
class RunId:
    """What distinguishes a training run, except its label fraction, which its labels know."""

    dataset: str
    split: str
    labelling: str
    architecture: str
    recipe: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Weights after the last epoch of `history`, the network they belong to and its training.

    dataset, split, label_fraction, labelling and recipe say on what and how it was trained;
    labelled_share is the share of the training pixels that had a label, clicks and
    annotation_seconds the estimated effort of annotating them (None: unknown). mean and std
    normalise RGB in 0..255, which imagery says how to make; patch_size is the side in pixels,
    source_size that before resampling, and ground_sampling_distances the pixel sizes in metres
    (empty: unknown) of the training patches. class_weights are those of the loss, None for equal
    ones; compute names device and precision; accumulation is the number of parts of a step that
    each process computed one after the other; commit is that of the code, with '+' where the code
    had changed since. fingerprint is a digest of all that the training depended on; state is what
    an unfinished training needs to be resumed.
    """

    dataset: str
    split: str
    architecture: str
    labelling: str
    recipe: str
    base_channels: int
    deep_supervision: bool
    class_names: list[str]
    palette: list[tuple[int, int, int]]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    imagery: Imagery
    patch_size: int
    source_size: int
    ground_sampling_distances: list[float]
    label_fraction: float
    labelled_share: float
    clicks: int | None
    annotation_seconds: float | None
    seed: int
    class_weights: list[float] | None
    compute: str
    accumulation: int
    commit: str
    history: list[EpochRecord] = field(default_factory=list)
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    fingerprint: str = ""
    state: dict[str, Any] | None = None

    @property
    def epoch(self) -> int:
        """The epoch after which these weights were saved."""
        return self.history[-1].epoch

    def identity(self) -> dict[str, str | int | float]:
        """Return what distinguishes its run from the others of its data set, as in the results."""
        names = ("split", "label_fraction", "labelling", "architecture", "recipe", "seed")
        return {name: getattr(self, name) for name in names}

    def build(self) -> nn.Module:
        """Return the network with these weights, in evaluation mode, on the CPU."""
        network = build_network(
            self.architecture, 3, len(self.class_names), self.base_channels, self.deep_supervision
        )
        network.load_state_dict(dict(self.weights))
        return network.eval()


def save_checkpoint(checkpoint: Checkpoint, file: Path) -> None:
    """Write a checkpoint as plain types and tensors, so that it loads with weights_only=True."""
    content = {item.name: getattr(checkpoint, item.name) for item in fields(checkpoint)}
    content["imagery"] = asdict(checkpoint.imagery)
    content["history"] = [asdict(record) for record in checkpoint.history]
    content["weights"] = dict(checkpoint.weights)
    # Written to memory first: torch reports a full disk as a RuntimeError without a file name.
    buffer = BytesIO()
    torch.save(content, buffer)
    with new_file(file) as part:
        part.write_bytes(buffer.getvalue())


def load_checkpoint(file: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises:
        ValueError: the file is missing, damaged or no checkpoint of this project.
    """
    try:
        content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        history = [EpochRecord(**record) for record in content.pop("history")]
        imagery = Imagery(**content.pop("imagery"))
        return Checkpoint(history=history, imagery=imagery, **content)
    except DAMAGED as error:
        raise ValueError(f"{file}: missing or damaged checkpoint: {error}") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{file}: no checkpoint of this project: {error}") from error
