"""The stage transfer: networks of one data set, scored on the test patches of another one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partialseg.core.files import part_folder
from partialseg.engine.checkpoint import BEST, Checkpoint, load_checkpoint
from partialseg.engine.compute import choose_compute
from partialseg.evaluation.params import Evaluate
from partialseg.evaluation.runs import Run
from partialseg.source.bands import RGB_NAMES
from partialseg.tiling.patches import Imagery, Patch, PatchStore
from partialseg.transfer.common import CommonClasses, CommonIds, CommonTruth, score_common
from partialseg.transfer.cut import CutPatches, OtherSet, cut_test_patches
from partialseg.transfer.params import COMMON, Transfer
from partialseg.transfer.pixel_size import PixelSizes, network_pixel_sizes
from partialseg.transfer.results import TransferResults, write_transfer
from partialseg.transfer.scores import common_scores, majority
from partialseg.transfer.table import write_transfer_table


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The networks of a data set: its patches of one split, the folder of runs and those listed."""

    dataset: str
    patches: Path
    folder: Path
    runs: Sequence[Run]
    transfer: Transfer


@dataclass(frozen=True, kw_only=True)
class Side:
    """Test patches of a data set, and the common class of each of its classes."""

    store: PatchStore
    patches: Sequence[Patch]
    common_ids: CommonIds

    def counts(self, scored: Sequence[int]) -> list[int]:
        """Return the pixels of each common class in the truth, 0 for those that are not scored."""
        counts = [0] * len(COMMON)
        for patch in self.patches:
            for id_, count in zip(self.common_ids, patch.counts, strict=True):
                if id_ in scored:
                    assert id_ is not None
                    counts[id_] += count
        return counts

    def truth(self, scored: Sequence[int]) -> CommonTruth:
        """Return the patches with the truth of the classes that are scored."""
        ids = [id_ if id_ in scored else None for id_ in self.common_ids]
        return CommonTruth(self.store, self.patches, ids)


def transfer(trained: Trained, other: OtherSet, out: Path, params: Evaluate) -> TransferResults:
    """Score runs on another data set; write the results as `out` and a table as .md beside it.

    The folders of the runs stay as they are. The patches of the other set are cut into a folder
    beside `out` that is removed.

    Raises:
        ValueError: no run is listed, a checkpoint or the source is missing or damaged, classes are
            not mapped or none is common, pixel sizes are unknown, or the bands of the two are
            different ones.
    """
    if not trained.runs:
        raise ValueError(f"no run of {trained.dataset} is listed for this split and label fraction")
    networks = [load_checkpoint(trained.folder / run.path / BEST) for run in trained.runs]
    first = networks[0]
    for run, network in zip(trained.runs, networks, strict=True):
        _check_alike(trained.folder / run.path / BEST, network, first)
    sizes = network_pixel_sizes(first, trained.transfer.assumed_gsd)
    own_store = PatchStore(trained.patches)
    own = Side(
        store=own_store,
        patches=own_store.of_split("test") or own_store.of_split("val"),
        common_ids=_common_ids(trained.dataset, trained.transfer, first.class_names),
    )
    with part_folder(out) as folder:
        cut = cut_test_patches(other, sizes, first.patch_size, folder)
        _check_imagery(trained.dataset, first.imagery, other.dataset, cut.store.summary.imagery)
        foreign = Side(
            store=cut.store,
            patches=cut.store.of_split("test"),
            common_ids=_common_ids(other.dataset, other.transfer, cut.store.summary.class_names),
        )
        scored = scored_classes(trained.dataset, own, other.dataset, foreign)
        results = TransferResults(
            detail=_facts(trained, other, (own, foreign), scored)
            | {"pixel_size": _pixel_size(sizes, cut, other)}
            | {"runs": _scores(networks, (own, foreign), scored, params)}
        )
    write_transfer_table(results, out.with_suffix(".md"))
    write_transfer(results, out)
    return results


def scored_classes(trained: str, own: Side, tested: str, foreign: Side) -> list[int]:
    """Return the common classes that both data sets have, as places in COMMON.

    Raises:
        ValueError: there is none, or no test patch has a pixel of one.
    """
    both = {*own.common_ids} & {*foreign.common_ids} - {None}
    scored = sorted(id_ for id_ in both if id_ is not None)
    if not scored:
        raise ValueError(f"{trained} and {tested} have no class in common (sections transfer)")
    for name, side in ((trained, own), (tested, foreign)):
        if not any(side.counts(scored)):
            classes = ", ".join(COMMON[id_] for id_ in scored)
            raise ValueError(f"no test patch of {name} has a pixel of the common classes {classes}")
    return scored


def _scores(
    networks: Sequence[Checkpoint],
    sides: tuple[Side, Side],
    scored: Sequence[int],
    params: Evaluate,
) -> list[dict[str, Any]]:
    compute = choose_compute(params.precision)
    compute.use_threads(params.threads)
    rows = []
    for checkpoint in networks:
        network = CommonClasses(compute.place(checkpoint.build()), sides[0].common_ids)
        own, other = (
            common_scores(score_common(network, side.truth(scored), params, compute), scored)
            for side in sides
        )
        rows.append(checkpoint.identity() | {"own": own, "other": other})
    return rows


def _facts(
    trained: Trained, other: OtherSet, sides: tuple[Side, Side], scored: Sequence[int]
) -> dict[str, Any]:
    own, foreign = (set(side.common_ids) - {None} for side in sides)
    return {
        "trained_on": trained.dataset,
        "tested_on": other.dataset,
        "split": trained.runs[0].cell.split,
        "tested_split": other.transfer.split,
        "classes": [COMMON[id_] for id_ in scored],
        "left_out": {
            "trained": [COMMON[id_] for id_ in range(len(COMMON)) if id_ in own - foreign],
            "tested": [COMMON[id_] for id_ in range(len(COMMON)) if id_ in foreign - own],
        },
        "own": _side_facts(sides[0], scored) | {"scored": sides[0].patches[0].split},
        "other": _side_facts(sides[1], scored),
    }


def _side_facts(side: Side, scored: Sequence[int]) -> dict[str, Any]:
    counts = side.counts(scored)
    return {
        "patches": len(side.patches),
        "orthophotos": len({patch.orthophoto for patch in side.patches}),
        "pixels": sum(counts),
        "majority": majority(counts),
    }


def _pixel_size(sizes: PixelSizes, cut: CutPatches, other: OtherSet) -> dict[str, Any]:
    return {
        "network": list(sizes.metres),
        "network_assumed": sizes.assumed,
        "files_assumed": cut.assumed,
        "files_assumed_gsd": other.transfer.assumed_gsd if cut.assumed else None,
    }


def _common_ids(dataset: str, section: Transfer, class_names: Sequence[str]) -> CommonIds:
    try:
        return section.common_ids(class_names)
    except ValueError as error:
        raise ValueError(f"datasets.{dataset}.transfer: {error}") from error


def _check_alike(file: Path, network: Checkpoint, first: Checkpoint) -> None:
    """Check that a network was trained on patches like those of the first one.

    Raises:
        ValueError: it was not.
    """
    for key in ("class_names", "imagery", "patch_size", "ground_sampling_distances"):
        if getattr(network, key) != getattr(first, key):
            raise ValueError(
                f"{file}: its {key} is {getattr(network, key)}, and that of the first run "
                f"{getattr(first, key)}"
            )


def _check_imagery(trained: str, own: Imagery, tested: str, other: Imagery) -> None:
    """Check that the bands of two data sets are the same ones, as far as they are known.

    Raises:
        ValueError: they are not.
    """
    if own.names and other.names and own.names != other.names:
        raise ValueError(
            f"the networks of {trained} see {', '.join(own.names)}, and the images of {tested} "
            f"have {', '.join(other.names)}"
        )
    for name, names, unknown in ((trained, own.names, tested), (tested, other.names, trained)):
        if names not in (None, RGB_NAMES) and None in (own.names, other.names):
            raise ValueError(
                f"the bands of {name} are {', '.join(names)}, and those of {unknown} are unknown: "
                f"band_names in datasets.{unknown}.download says what they are"
            )
