"""The results on another data set as a table: networks, scores, and the majority answer."""

from pathlib import Path
from typing import Any

from partialseg.comparison.cells import mean_and_std
from partialseg.comparison.table import github_table
from partialseg.core.files import new_file
from partialseg.evaluation.runs import cell_names
from partialseg.transfer.results import MIN_PATCHES, TransferResults, without_test_split

NONE = "-"


def shown_scores(results: TransferResults, runs: list[dict[str, Any]], side: str) -> str:
    """Return the mIoU of a cell on its 'own' or the 'other' patches; of too few, the counts."""
    scores = [item[side] for item in runs]
    if not results.ranked(side):
        patches = results.detail[side]["patches"]
        right = " and ".join(f"{item['right']}" for item in scores)
        return f"{right} of {scores[0]['pixels']} px right ({patches} patches)"
    mean, std = mean_and_std([item["miou"] for item in scores])
    return f"{mean:.4f}" + ("" if std is None else f" ± {std:.4f}")


def transfer_table(results: TransferResults) -> str:
    """Return the table as Markdown: a row a cell, best first, then the majority answer."""
    detail = results.detail
    trained, tested = results.pair
    cells = results.runs_of_cells()
    names = cell_names(list(cells))
    ranked = results.ranked("other")
    order = list(cells)
    if ranked:
        order.sort(key=lambda cell: -mean_and_std([r["other"]["miou"] for r in cells[cell]])[0])
    rows = []
    for place, cell in enumerate(order, 1):
        runs = cells[cell]
        rows.append(
            {
                "Rank": str(place) if ranked else NONE,
                f"Trained on {trained}": names[cell],
                f"mIoU on {tested}": shown_scores(results, runs, "other"),
                f"mIoU on {trained}": shown_scores(results, runs, "own"),
                "Accuracy": _mean(runs, "accuracy") if ranked else NONE,
            }
            | {name: _iou(runs, name) if ranked else NONE for name in detail["classes"]}
        )
    best = detail["other"]["majority"]
    rows.append(
        {
            "Rank": NONE,
            f"Trained on {trained}": f"all {best['class']}",
            f"mIoU on {tested}": f"{best['miou']:.4f}" if ranked else _share(results),
            f"mIoU on {trained}": _own_majority(results),
            "Accuracy": f"{best['accuracy']:.4f}" if ranked else NONE,
        }
        | dict.fromkeys(detail["classes"], "")
    )
    return github_table(rows)


def _own_majority(results: TransferResults) -> str:
    trivial = results.detail["own"]["majority"]
    return f"{trivial['miou']:.4f} (all {trivial['class']})" if results.ranked("own") else NONE


def _mean(runs: list[dict[str, Any]], score: str) -> str:
    return f"{mean_and_std([item['other'][score] for item in runs])[0]:.4f}"


def _iou(runs: list[dict[str, Any]], name: str) -> str:
    values = [item["other"]["iou"][name] for item in runs if name in item["other"]["iou"]]
    return f"{mean_and_std(values)[0]:.4f}" if values else "absent"


def _share(results: TransferResults) -> str:
    pixels = results.detail["other"]["pixels"]
    right = results.detail["other"]["majority"]["accuracy"] * pixels
    return f"{right:.0f} of {pixels} px right"


def remarks(results: TransferResults) -> list[str]:
    """Return what the numbers of a pair rest on: patches, pixel sizes, and classes left out."""
    detail = results.detail
    trained, tested = results.pair
    sizes = detail["pixel_size"]
    metres = " and ".join(f"{size:.3g}" for size in sizes["network"])
    of_network = f"assumed to be {metres} m" if sizes["network_assumed"] else f"{metres} m"
    other = detail["other"]
    found = [
        f"{other['patches']} test patches of {other['orthophotos']} orthophotos of {tested} (split "
        f"{detail['tested_split']}), cut at the pixel size of the networks, {of_network}."
    ]
    if sizes["files_assumed"]:
        found.append(
            f"The pixel size of {sizes['files_assumed']} of these orthophotos is unknown and "
            f"assumed to be {sizes['files_assumed_gsd']:.3g} m: another value would give other "
            "scores."
        )
    for side, name, lacking in (("trained", trained, tested), ("tested", tested, trained)):
        classes = detail["left_out"][side]
        if classes:
            found.append(f"{lacking} has no {', no '.join(classes)}, which {name} has: not scored.")
    if without_test_split(results):
        found.append(
            f"{trained} has no test split: its own scores are those of the validation, by which "
            "epochs were chosen."
        )
    for side, name in (("other", tested), ("own", trained)):
        if not results.ranked(side):
            found.append(
                f"{name} has fewer than {MIN_PATCHES} test patches: counts instead of scores, and "
                "no rank."
            )
    return found


def write_transfer_table(results: TransferResults, file: Path) -> None:
    """Write the table and its remarks as Markdown."""
    trained, tested = results.pair
    text = [f"# Trained on {trained}, tested on {tested}", transfer_table(results)]
    text += ["\n".join(f"- {remark}" for remark in remarks(results))]
    with new_file(file) as part:
        part.write_text("\n\n".join(text) + "\n", encoding="utf-8")
