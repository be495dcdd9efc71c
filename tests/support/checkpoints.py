"""A made-up checkpoint, and a network for it."""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from partialseg.engine.checkpoint import Checkpoint
from partialseg.models.build import build_network
from partialseg.tiling.patches import Imagery
from small_run import record


def checkpoint_of(network: nn.Module, **changes: Any) -> Checkpoint:
    made = Checkpoint(
        dataset="sample",
        split="main",
        architecture="unet",
        labelling="points",
        recipe="reproduction",
        base_channels=2,
        deep_supervision=False,
        class_names=["field", "house", "lake"],
        palette=[(200, 180, 90), (200, 40, 30), (40, 90, 200)],
        mean=(120.0, 110.0, 100.5),
        std=(60.0, 50.5, 40.0),
        imagery=Imagery(),
        patch_size=32,
        source_size=64,
        ground_sampling_distances=[0.25, 0.5],
        label_fraction=0.15,
        labelled_share=0.0125,
        clicks=120,
        annotation_seconds=90.5,
        seed=42,
        class_weights=[0.5, 1.25, 1 / 3],
        compute="CPU, float32",
        accumulation=3,
        commit="0123456789+",
        history=[record(1), record(2)],
        weights=network.state_dict(),
    )
    return replace(made, **changes)


def trained_network(architecture: str = "unet", deep_supervision: bool = False) -> nn.Module:
    """Return a network whose running statistics are not those of a new one."""
    torch.manual_seed(4)
    network = build_network(architecture, 3, 3, 2, deep_supervision).train()
    network(torch.randn(2, 3, 32, 32))
    return network
