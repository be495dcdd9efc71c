"""Published figures of the experiment that the landcover_ai section reproduces.

Source: the report 'PyTorch Implementation of UNet for Land Cover Segmentation with Partial
Cross-Entropy Loss' (November 2025): one seed a run, one A100 (80 GB). Its mIoU is the mean over
batches of the per-batch mIoU, and its UNet++ lacks the dense skip connections.
"""

from dataclasses import dataclass

DATASET = "landcover_ai"
RECIPE = "reproduction"
LABELLING = "random"
SPLIT = "main"  # the official one, as params.yaml has it


@dataclass(frozen=True, kw_only=True)
class ReportedRun:
    """What the report gives for one run; mIoU by batches, seconds of training."""

    final_batch_miou: float
    best_batch_miou: float
    final_accuracy: float
    train_seconds: int


REPORTED = {
    ("unet", 0.10): ReportedRun(
        final_batch_miou=0.4775, best_batch_miou=0.4887, final_accuracy=0.8640, train_seconds=1080
    ),
    ("unet", 0.15): ReportedRun(
        final_batch_miou=0.4764, best_batch_miou=0.4902, final_accuracy=0.8605, train_seconds=1080
    ),
    ("unetplusplus", 0.10): ReportedRun(
        final_batch_miou=0.5054, best_batch_miou=0.5054, final_accuracy=0.8680, train_seconds=2100
    ),
    ("unetplusplus", 0.15): ReportedRun(
        final_batch_miou=0.4630, best_batch_miou=0.4705, final_accuracy=0.8398, train_seconds=2100
    ),
}
