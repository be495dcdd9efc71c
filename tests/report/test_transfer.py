"""The section of the page on other data sets."""

from typing import Any

from partialseg.report.transfer import matrix_table, pairs_table, transfer_section
from partialseg.transfer.results import TransferResults


def made(trained: str, tested: str, patches: int, mious: dict[int, float]) -> TransferResults:
    """Return results of one cell, by seed."""
    majority = {"class": "water", "miou": 0.125, "accuracy": 0.25}
    facts = {"patches": patches, "orthophotos": 1, "pixels": 90, "majority": majority}
    identity = {"split": "main", "label_fraction": 0.1, "labelling": "random"}
    identity |= {"architecture": "unet", "recipe": "tuned"}

    def scores(miou: float) -> dict[str, Any]:
        return {"miou": miou, "accuracy": 0.5, "iou": {"water": miou}, "right": 30, "pixels": 90}

    runs = [
        identity | {"seed": seed, "own": scores(0.75), "other": scores(miou)}
        for seed, miou in mious.items()
    ]
    sizes = {"network": [0.25], "network_assumed": trained == "b", "files_assumed": 0}
    return TransferResults(
        detail={"trained_on": trained, "tested_on": tested, "classes": ["water"], "runs": runs}
        | {"own": facts | {"patches": 10}, "other": facts}
        | {"pixel_size": sizes | {"files_assumed_gsd": None}}
    )


RESULTS = [made("a", "b", 10, {42: 0.25, 1: 0.75}), made("b", "a", 9, {42: 0.5, 1: 0.5})]


def texts(rows: Any) -> list[list[str]]:
    return [[entry.text.replace("\N{NO-BREAK SPACE}", " ") for entry in row] for row in rows]


def test_the_matrix_has_trained_on_by_tested_on_beside_the_majority_answer() -> None:
    table = matrix_table(RESULTS)
    assert table.headings == ["Trained on", "Cell", "b", "a"]
    assert texts(table.rows) == [
        ["a", "UNet 10 %", "0.500 ± 0.354 (all water 0.125)", "–"],
        ["b", "UNet 10 %", "–", "30 and 30 of 90 px (9 patches)"],
    ]
    # What has fewer than ten patches is sorted as if it had no score.
    assert [row[2 + place].value for place, row in enumerate(table.rows)] == [0.5, None]


def test_the_details_are_of_pairs_with_ten_patches() -> None:
    first, second = texts(pairs_table(RESULTS).rows)
    assert first[0] == "a → b"
    assert first[2:4] == ["10", "0.750 ± 0.000 (all water 0.125)"]
    assert first[5:] == ["0.500 ± 0.000", "0.500 ± 0.354"]
    assert second[5:] == ["–", "–"]


def test_the_section_names_what_is_assumed_and_is_left_out_without_results() -> None:
    section = transfer_section(RESULTS)
    assert section is not None
    assert section.paragraphs[-1] == (
        "Pixel sizes that are assumed, not known: 0.25 m for the networks of b."
    )
    assert transfer_section([]) is None


def test_a_set_without_a_test_split_is_named() -> None:
    results = made("a", "b", 10, {42: 0.25})
    results.detail["own"]["scored"] = "val"
    section = transfer_section([results])
    assert section is not None
    assert section.paragraphs[-1].startswith("Of a the mIoU at home is that of the validation")
