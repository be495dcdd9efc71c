from typing import Any

from checkpoints import checkpoint_of, trained_network
from partialseg.evaluation.model_card import model_card

SPLIT = {
    "accuracy": 0.75,
    "majority_miou": 0.125,
    "iou": {"field": 0.5, "lake": 0.25},
    "confusion": [[1_000_000, 0, 250_000], [0, 0, 0], [0, 0, 50_000]],
}
DETAIL: dict[str, Any] = {
    "parameters": 486_589,
    "epochs": 2,
    "train_seconds": 85.6,
    "val": SPLIT | {"miou": 0.4, "iou": {"field": 0.5, "house": 0.375, "lake": 0.25}},
    "test": SPLIT | {"miou": 0.375},
}


def card(**changes: Any) -> list[str]:
    return model_card(checkpoint_of(trained_network(), **changes), DETAIL).splitlines()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_it_is_markdown_with_a_header_that_hubs_read() -> None:
    lines = card()
    assert lines[:5] == [
        "---",
        "library_name: pytorch",
        "pipeline_tag: image-segmentation",
        "tags: [land-cover, orthophoto, partial-labels]",
        "---",
    ]
    title = "# UNet for land cover, trained on 15 % of the labels (points)"
    assert title in lines


def test_the_facts_are_those_of_the_checkpoint() -> None:
    facts = dict(cells(line) for line in card() if line.startswith("|") and line.count("|") == 3)
    assert facts["Architecture"] == "UNet, base width 2, 0.49 M parameters"
    assert facts["Data"] == "`sample`, synthetic orthophotos that the pipeline renders"
    assert facts["Labels"] == (
        "`points` at a label fraction of 15 %: 1.25 % of the pixels of the training patches"
    )
    assert facts["Patches"] == "32 x 32 px"
    assert facts["Normalisation"] == "(RGB in 0..255 - (120, 110, 100.5)) / (60, 50.5, 40)"
    assert facts["Recipe"] == "`reproduction`, 2 epochs, weights of epoch 2, seed 42"
    assert facts["Computed by"] == "CPU, float32, 86 s, a step in 3 parts"
    assert facts["Commit"] == "`0123456789+`"


def test_the_scores_of_both_splits_are_there() -> None:
    rows = [cells(line) for line in card() if line.startswith("|") and line.count("|") == 4]
    assert rows[0] == ["", "Validation", "Test"]
    assert rows[2:] == [
        ["mIoU", "0.4000", "0.3750"],
        ["Accuracy", "0.7500", "0.7500"],
        ["mIoU of the largest class everywhere", "0.1250", "0.1250"],
        ["IoU of field", "0.5000", "0.5000"],
        ["IoU of house", "0.3750", "absent"],
        ["IoU of lake", "0.2500", "0.2500"],
    ]


def test_it_says_what_the_images_should_be_and_what_not_to_rely_on() -> None:
    text = "\n".join(card())
    assert "8-bit RGB, pixels of 0.25 m or 0.5 m (others are resampled)." in text
    assert "those of the test split rest on 1.3 Mpx" in text
    assert "The weakest class there is lake (IoU 0.25)" in text
    unknown = "\n".join(card(ground_sampling_distances=[], commit="", dataset="mine"))
    assert "a pixel size as theirs, which is unknown" in unknown
    assert [cells(line)[1] for line in unknown.splitlines() if "Commit" in line] == ["unknown"]
    assert "`mine`" in unknown
