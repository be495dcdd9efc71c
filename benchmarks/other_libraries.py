"""How other libraries count: the mIoU of one prediction, and what 'mean' divides a loss by.

The prediction, its truth and the logits are random numbers of a fixed seed. Class 4 occurs in
neither truth nor prediction, and a third of the truth is unlabelled (-1). Run it in an environment
of its own, see benchmarks/other_libraries.sh.
"""

import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from partialseg.confusion import ConfusionMatrix
from partialseg.loss import partial_cross_entropy

CLASSES, ABSENT = 5, 4
IMAGES, SIDE = 4, 48
WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 4.0, 1.0])

draw = torch.Generator().manual_seed(1)
# Images differ in their shares of the classes, as orthophotos do; the last has no class 3.
SHARES = torch.tensor(
    [[0.7, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1], [0.2, 0.2, 0.5, 0.1], [0.6, 0.3, 0.1, 0.0]]
)
truth = torch.stack(
    [torch.multinomial(row, SIDE * SIDE, True, generator=draw) for row in SHARES]
).view(IMAGES, SIDE, SIDE)
wrong = torch.rand(truth.shape, generator=draw) < 0.2
prediction = torch.where(wrong, torch.randint(0, ABSENT, truth.shape, generator=draw), truth)
visible = torch.rand(truth.shape, generator=draw) >= 1 / 3
labels = torch.where(visible, truth, -1)
logits = torch.randn(IMAGES, CLASSES, SIDE, SIDE, generator=draw)


def ours() -> float:
    matrix = ConfusionMatrix(CLASSES)
    matrix.update(prediction, labels)
    return matrix.miou()


def torchmetrics_jaccard() -> float:
    from torchmetrics.classification import MulticlassJaccardIndex

    metric = MulticlassJaccardIndex(CLASSES, average="macro", ignore_index=-1)
    return float(metric(prediction, labels))


def torchmetrics_mean_iou() -> float:
    from torchmetrics.segmentation import MeanIoU

    return float(MeanIoU(CLASSES, input_format="index")(prediction, labels))


def smp_module(name: str) -> Any:
    """Import a module of segmentation-models-pytorch without its encoders and their packages."""
    package = "segmentation_models_pytorch"
    if package not in sys.modules:
        spec = find_spec(package)
        assert spec is not None
        bare = ModuleType(package)
        bare.__path__ = list(spec.submodule_search_locations or [])
        sys.modules[package] = bare
    return import_module(f"{package}.{name}")


def smp(reduction: str) -> float:
    metrics = smp_module("metrics")
    counts = metrics.get_stats(
        prediction, labels, mode="multiclass", ignore_index=-1, num_classes=CLASSES
    )
    return float(metrics.iou_score(*counts, reduction=reduction))


def one_hot(ids: torch.Tensor, classes: int) -> torch.Tensor:
    return F.one_hot(ids, classes).movedim(-1, 1)


def monai_mean_iou(ignored_class: bool) -> float:
    from monai.metrics import MeanIoU

    if ignored_class:  # unlabelled pixels are a class of their own
        metric = MeanIoU(reduction="mean", ignore_index=CLASSES)
        unlabelled = torch.where(visible, truth, CLASSES)
        metric(one_hot(prediction, CLASSES + 1), one_hot(unlabelled, CLASSES + 1))
    else:
        metric = MeanIoU(reduction="mean")
        metric(one_hot(prediction, CLASSES), one_hot(truth, CLASSES) * visible[:, None])
    return float(metric.aggregate())


def sklearn_jaccard(only_labelled: bool) -> float:
    from sklearn.metrics import jaccard_score

    chosen = labels >= 0 if only_labelled else torch.ones_like(visible)
    return float(
        jaccard_score(
            labels[chosen].numpy(),
            prediction[chosen].numpy(),
            labels=None if only_labelled else range(CLASSES),
            average="macro",
            zero_division=0.0,
        )
    )


def result(count: Callable[[], float]) -> str:
    """Return the number, or the error in one line."""
    try:
        return f"{count():.4f}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:90]}"


SCORES: dict[str, Callable[[], float]] = {
    "partialseg ConfusionMatrix.miou": ours,
    "torchmetrics MulticlassJaccardIndex, macro": torchmetrics_jaccard,
    "torchmetrics segmentation.MeanIoU": torchmetrics_mean_iou,
    "segmentation-models-pytorch iou_score, macro": lambda: smp("macro"),
    "segmentation-models-pytorch iou_score, macro-imagewise": lambda: smp("macro-imagewise"),
    "monai MeanIoU, unlabelled pixels without a class": lambda: monai_mean_iou(False),
    "monai MeanIoU, unlabelled pixels a class, ignore_index": lambda: monai_mean_iou(True),
    "scikit-learn jaccard_score, macro, labelled pixels": lambda: sklearn_jaccard(True),
    "scikit-learn jaccard_score, macro, all pixels": lambda: sklearn_jaccard(False),
}


def smp_cross_entropy() -> float:
    loss = smp_module("losses").SoftCrossEntropyLoss(smooth_factor=0.0, ignore_index=-1)
    return float(loss(logits, labels))


def smp_focal() -> float:
    loss = smp_module("losses").FocalLoss("multiclass", gamma=0.0, ignore_index=-1)
    return float(loss(logits, labels))


def kornia_focal() -> float:
    from kornia.losses import focal_loss

    loss = focal_loss(logits, labels, alpha=None, gamma=0.0, reduction="mean", ignore_index=-1)
    return float(loss)


def monai_cross_entropy() -> float:
    from monai.losses import DiceCELoss

    loss = DiceCELoss(to_onehot_y=True, softmax=True, lambda_dice=0.0)
    return float(loss(logits, labels[:, None]))


plain = F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
weighted = F.cross_entropy(logits, labels, WEIGHTS, ignore_index=-1, reduction="sum")
LOSSES: dict[str, tuple[Callable[[], float], torch.Tensor]] = {
    "partialseg partial_cross_entropy": (
        lambda: float(partial_cross_entropy(logits, labels, None)),
        plain,
    ),
    "partialseg partial_cross_entropy, class weights": (
        lambda: float(partial_cross_entropy(logits, labels, WEIGHTS)),
        weighted,
    ),
    "torch cross_entropy": (
        lambda: float(F.cross_entropy(logits, labels, ignore_index=-1)),
        plain,
    ),
    "torch cross_entropy, class weights": (
        lambda: float(F.cross_entropy(logits, labels, WEIGHTS, ignore_index=-1)),
        weighted,
    ),
    "segmentation-models-pytorch SoftCrossEntropyLoss": (smp_cross_entropy, plain),
    "segmentation-models-pytorch FocalLoss, gamma 0": (smp_focal, plain),
    "kornia focal_loss, gamma 0": (kornia_focal, plain),
    "monai DiceCELoss, lambda_dice 0": (monai_cross_entropy, plain),
}


def main() -> None:
    warnings.simplefilter("ignore")
    names = ("torch", "torchmetrics", "segmentation-models-pytorch", "kornia", "monai")
    print(", ".join(f"{name} {version(name)}" for name in (*names, "scikit-learn")))
    print("\n| score | value |\n|---|---|")
    for name, count in SCORES.items():
        print(f"| {name} | {result(count)} |")
    labelled = int((labels >= 0).sum())
    of_weights = float(WEIGHTS[labels[labels >= 0]].sum())
    print(
        f"\n{labels.numel()} pixels, {labelled} labelled, their class weights sum to {of_weights}"
    )
    print("\n| loss | value | the sum of the pixels' losses divided by the value |\n|---|---|---|")
    for name, (count, total) in LOSSES.items():
        value = result(count)
        divisor = f"{float(total) / count():.1f}" if value[0].isdigit() else ""
        print(f"| {name} | {value} | {divisor} |")


if __name__ == "__main__":
    main()
