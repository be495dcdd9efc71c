import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from code_of_stage import SRC
from evaluate import main
from partialseg.confusion import ConfusionMatrix
from partialseg.core.classes import NO_TRUTH
from partialseg.core.params import load_section
from partialseg.engine.batches import MEAN, STD, TruthPatches, truth_loader
from partialseg.engine.checkpoint import load_checkpoint, save_checkpoint
from partialseg.engine.compute import choose_compute
from partialseg.engine.scoring import Scorer, Scores
from partialseg.evaluation.evaluate import evaluate, pixel_scores, run_scores
from partialseg.evaluation.model_card import forward_gflop
from partialseg.evaluation.params import Evaluate, Spatial
from partialseg.evaluation.results import read_results
from partialseg.evaluation.runs import Cell, Run, RunFiles
from partialseg.evaluation.shown import choose_panel
from partialseg.evaluation.spatial import spatial_scores
from partialseg.tiling.patches import PatchStore
from small_run import fails_with, isolate, record, small_run, write_params

WEIGHTS = (0.5, 1.0, 2.5)
RUN = Run(
    cell=Cell(
        split="main", fraction="0.5", labelling="random", architecture="unet", recipe="reproduction"
    ),
    seed=2,
)
PARAMS = Evaluate(
    batch_size=2,
    precision="float32",
    threads=1,
    workers=0,
    panel_patches=2,
    examples=1,
    calibration_bins=4,
    spatial=Spatial(
        boundary_ratio=0.02,
        tolerances_px=(1.0,),
        tolerances_m=(0.5,),
        objects="house",
        object_areas=(10.0,),
    ),
)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolate(monkeypatch, tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    return RunFiles(
        scores=tmp_path / "out" / "run.json",
        detail=tmp_path / "out" / "detail.json",
        predictions=tmp_path / "out" / "predictions.npz",
    )


@pytest.fixture(scope="module")
def made_once(
    stores: Callable[[int, int, int], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a folder with the store and the run that the tests get copies of."""
    folder = tmp_path_factory.mktemp("made_once")
    shutil.copytree(stores(32, 1, 3), folder / "patches")
    for name in ("b_val", "c_test"):
        file = folder / "patches" / "masks" / f"{name}.npy"
        masks = np.load(file)
        masks[2, :9] = NO_TRUTH
        np.save(file, masks)
    with pytest.MonkeyPatch.context() as monkeypatch:
        isolate(monkeypatch, folder)
        small_run(
            folder / "patches",
            folder / "run",
            seed=2,
            base_channels=4,
            epochs=3,
            batch_size=1,
            learning_rate=0.02,
            class_weights=WEIGHTS,
        )
    return folder


@pytest.fixture
def patches(made_once: Path, tmp_path: Path) -> Path:
    """Return a store of three patches a split; some pixels have no truth."""
    return shutil.copytree(made_once / "patches", tmp_path / "patches")


@pytest.fixture
def trained(made_once: Path, tmp_path: Path) -> Path:
    """Return a run whose best checkpoint is not its last, and predicts each class somewhere."""
    return shutil.copytree(made_once / "run", tmp_path / "run")


def probabilities_of(run_folder: Path, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the class probabilities (H, W, C) of the best checkpoint for an image (H, W, 3)."""
    network = load_checkpoint(run_folder / "best.pt").build()
    normalised = (image.astype(np.float64) - MEAN) / STD
    with torch.no_grad():
        logits = network(torch.from_numpy(normalised.transpose(2, 0, 1)[None]).float())
    powers = np.exp(logits[0].numpy().transpose(1, 2, 0).astype(np.float64))
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.mark.slow
def test_scores_are_computed_with_the_threads_that_were_asked_for(
    patches: Path, trained: Path, files: RunFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    evaluate(patches, trained, files, replace(PARAMS, threads=3))
    assert asked == [3]


def mean_iou(counts: NDArray[np.int64]) -> float:
    hits = np.diag(counts)
    either = counts.sum(axis=0) + counts.sum(axis=1) - hits
    return float((hits[either > 0] / either[either > 0]).mean())


@pytest.mark.slow
@pytest.mark.parametrize("split", ["val", "test"])
def test_scores_are_those_of_an_independent_computation(
    patches: Path, trained: Path, files: RunFiles, split: str
) -> None:
    evaluate(patches, trained, files, PARAMS)
    written = json.loads(files.detail.read_text())[split]
    store = PatchStore(patches)
    by_patch, loss_sum = [], 0.0
    for patch in store.of_split(split):
        counts = np.zeros((3, 3), np.int64)
        truth, probabilities = store.truth(patch), probabilities_of(trained, store.image(patch))
        known = truth != NO_TRUTH
        np.add.at(counts, (truth[known], probabilities.argmax(axis=-1)[known]), 1)
        right = np.take_along_axis(probabilities[known], truth[known][:, None].astype(int), 1)
        loss_sum += float((np.array(WEIGHTS)[truth[known]] * -np.log(right[:, 0])).sum())
        by_patch.append(counts)
    counts = np.sum(by_patch, axis=0)
    assert counts.sum() == 3 * 1024 - 9 * 32
    assert written["confusion"] == counts.tolist()
    assert written["miou"] == pytest.approx(mean_iou(counts))
    assert written["accuracy"] == pytest.approx(np.trace(counts) / counts.sum())
    assert written["loss"] == pytest.approx(loss_sum / counts.sum(), rel=1e-4)
    of_batches = [mean_iou(by_patch[0] + by_patch[1]), mean_iou(by_patch[2])]
    assert written["batch_miou"] == pytest.approx(sum(of_batches) / 2)
    assert written["majority_miou"] == pytest.approx(counts.sum(axis=1).max() / counts.sum() / 3)


def test_predictions_are_kept_of_the_panel_and_of_the_examples(
    patches: Path, trained: Path, files: RunFiles
) -> None:
    made = evaluate(patches, trained, files, replace(PARAMS, panel_patches=1))
    store = PatchStore(patches)
    shown = {patch.name for patch in choose_panel(store.of_split("test"), 1)}
    for ends in made.detail["test_examples"].values():
        assert len(ends["best"]) == 1
        shown |= {item["patch"] for end in ends.values() for item in end}
    stored = read_results(files, RUN).predictions
    assert set(stored) == shown
    for patch in store.of_split("test"):
        if patch.name in shown:
            expected = probabilities_of(trained, store.image(patch)).argmax(axis=-1)
            assert stored[patch.name].dtype == np.uint8
            np.testing.assert_array_equal(stored[patch.name], expected)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_scores_are_those_of_the_scorer_of_a_training_to_the_last_bit(
    patches: Path, trained: Path, files: RunFiles, batch_size: int
) -> None:
    made = evaluate(patches, trained, files, replace(PARAMS, batch_size=batch_size)).detail["test"]
    store, best = PatchStore(patches), load_checkpoint(trained / "best.pt")
    compute = choose_compute("float32")
    scorer = Scorer(num_classes=3, class_weights=torch.tensor(WEIGHTS), compute=compute)
    batches = truth_loader(TruthPatches(store, store.of_split("test")), batch_size, workers=0)
    scores = scorer.score(compute.place(best.build()), batches)
    assert made["loss"] == scores.loss
    assert made["batch_miou"] == scores.batch_miou
    assert made["confusion"] == scores.confusion.counts.tolist()


def test_a_split_without_any_truth_is_refused(
    patches: Path, trained: Path, files: RunFiles
) -> None:
    file = patches / "masks" / "b_val.npy"
    np.save(file, np.full_like(np.load(file), NO_TRUTH))
    with pytest.raises(ValueError, match="no pixel of the split that is scored has a truth"):
        evaluate(patches, trained, files, PARAMS)
    assert not files.scores.exists()


def test_no_examples_leave_the_panel_alone(patches: Path, trained: Path, files: RunFiles) -> None:
    made = evaluate(patches, trained, files, replace(PARAMS, panel_patches=1, examples=0))
    (patch,) = choose_panel(PatchStore(patches).of_split("test"), 1)
    assert [*made.predictions] == [patch.name]


@pytest.mark.slow
@pytest.mark.parametrize("split", ["val", "test"])
def test_scores_of_places_and_confidence_are_those_of_the_same_predictions(
    patches: Path, trained: Path, files: RunFiles, split: str
) -> None:
    made = evaluate(patches, trained, files, PARAMS).detail[split]
    store = PatchStore(patches)
    chosen = store.of_split(split)
    probabilities = np.stack([probabilities_of(trained, store.image(p)) for p in chosen])
    predicted = probabilities.argmax(axis=-1).astype(np.uint8)
    expected = spatial_scores(store, chosen, predicted, PARAMS.spatial)
    assert {key: made[key] for key in expected} == expected
    assert [*made["orthophotos"]] == [f"{'b' if split == 'val' else 'c'}_{split}"]
    assert next(iter(made["orthophotos"].values()))["confusion"] == made["confusion"]
    known = np.stack([store.truth(p) for p in chosen]) != NO_TRUTH
    places = np.minimum((probabilities.max(axis=-1)[known] * 4).astype(int), 3)
    bins = made["calibration"]["bins"]
    assert [item["pixels"] for item in bins] == np.bincount(places, minlength=4).tolist()
    assert sum(item["pixels"] for item in made["border_distance"]) == known.sum()


def test_an_unknown_class_of_objects_is_told_first(
    patches: Path, trained: Path, files: RunFiles
) -> None:
    params = replace(PARAMS, spatial=replace(PARAMS.spatial, objects="barn"))
    message = "objects: should be one of the classes field, house, lake, or '' for none, got 'barn'"
    with pytest.raises(ValueError, match=message):
        evaluate(patches, trained, files, params)
    assert not files.scores.parent.exists()


def test_what_is_returned_is_what_is_written(patches: Path, trained: Path, files: RunFiles) -> None:
    returned, read = evaluate(patches, trained, files, PARAMS), read_results(files, RUN)
    assert returned.detail.items() >= RUN.identity().items()
    assert returned.detail == read.detail
    assert returned.predictions.keys() == read.predictions.keys()
    for name, ids in returned.predictions.items():
        np.testing.assert_array_equal(ids, read.predictions[name])
    assert json.loads(files.scores.read_text()) == returned.scores()
    written = ["best.md", "detail.json", "predictions.npz", "run.json"]
    assert sorted(os.listdir(files.scores.parent)) == written


def test_the_best_checkpoint_is_scored_and_the_last_tells_the_cost(
    patches: Path, trained: Path, files: RunFiles
) -> None:
    best = load_checkpoint(trained / "best.pt")
    history = [record(epoch, val_batch_miou=0.1 * (epoch % 3)) for epoch in (1, 2, 3, 4)]
    save_checkpoint(replace(best, history=history[:2]), trained / "best.pt")
    last = {name: torch.zeros_like(value) for name, value in best.weights.items()}
    save_checkpoint(replace(best, history=history, weights=last), trained / "last.pt")
    detail = evaluate(patches, trained, files, PARAMS).detail
    assert (detail["kept_epoch"], detail["epochs"]) == (2, 4)
    assert detail["train_seconds"] == 1.5 * (1 + 2 + 3 + 4)
    assert detail["final_val_miou"] == record(4).val_miou
    counts = np.array(detail["test"]["confusion"])
    assert (counts.sum(axis=0) > 0).all()  # all zero weights would predict one class


def test_a_run_tells_its_settings_and_cost(patches: Path, trained: Path, files: RunFiles) -> None:
    detail = evaluate(patches, trained, files, PARAMS).detail
    last = load_checkpoint(trained / "last.pt")
    best = load_checkpoint(trained / "best.pt")
    expected = {
        "split": "main",
        "architecture": "unet",
        "label_fraction": 0.5,
        "labelling": "random",
        "labelled_pixels": 0.5,
        "clicks": None,
        "annotation_seconds": None,
        "recipe": "reproduction",
        "seed": 2,
        "panel_patches": 2,
        "commit": last.commit,
        "peak_memory_mib": round(max(item.peak_memory_mib for item in last.history)),
        "gflop": forward_gflop(best.build(), 32),
        "parameters": sum(weight.numel() for weight in best.build().parameters()),
        "compute": "CPU, float32",
        "accumulation": 1,
        "epochs": 3,
        "kept_epoch": best.epoch,
        "train_seconds": round(sum(item.seconds for item in last.history), 1),
        "best_val_miou": max(item.val_miou for item in last.history),
        "final_val_miou": last.history[2].val_miou,
        "final_val_accuracy": last.history[2].val_accuracy,
        "final_val_batch_miou": last.history[2].val_batch_miou,
        "best_val_batch_miou": max(item.val_batch_miou for item in last.history),
    }
    scored = ("val", "test", "test_examples")
    assert {key: value for key, value in detail.items() if key not in scored} == expected


def test_the_axes_of_a_run_come_from_its_checkpoint(trained: Path) -> None:
    last = load_checkpoint(trained / "last.pt")
    last = replace(last, architecture="unetplusplus", label_fraction=0.15, recipe="tuned")
    last = replace(last, split="official", seed=7)
    scores = run_scores(last, kept_epoch=2)
    axes = ("split", "architecture", "label_fraction", "recipe", "seed")
    assert [scores[axis] for axis in axes] == ["official", "unetplusplus", 0.15, "tuned", 7]


def test_a_checkpoint_and_its_run_have_the_same_identity(trained: Path) -> None:
    identity = load_checkpoint(trained / "last.pt").identity()
    assert [*identity.items()] == [*RUN.identity().items()]


def test_the_validation_scores_are_those_of_the_kept_epoch(
    patches: Path, trained: Path, files: RunFiles
) -> None:
    val = evaluate(patches, trained, files, replace(PARAMS, batch_size=1)).detail["val"]
    best = load_checkpoint(trained / "best.pt").history[-1]
    assert val["miou"] == pytest.approx(best.val_miou)
    assert val["accuracy"] == pytest.approx(best.val_accuracy)
    assert val["loss"] == pytest.approx(best.val_loss, rel=1e-5)
    assert val["batch_miou"] == pytest.approx(best.val_batch_miou)


def test_the_best_batch_miou_may_be_of_another_epoch(trained: Path) -> None:
    history = [record(epoch, val_batch_miou=score) for epoch, score in ((1, 0.6), (2, 0.2))]
    last = replace(load_checkpoint(trained / "last.pt"), history=history)
    scores = run_scores(last, kept_epoch=2)
    assert (scores["final_val_batch_miou"], scores["best_val_batch_miou"]) == (0.2, 0.6)
    assert scores["kept_epoch"] == 2


def scores_of(counts: list[list[int]]) -> dict[str, Any]:
    confusion = ConfusionMatrix(len(counts))
    confusion.counts += torch.tensor(counts)
    scores = Scores(confusion=confusion, loss=0.25, batch_miou=0.125)
    return pixel_scores(scores, ["field", "house", "lake", "road"])


def test_scores_of_a_split_by_hand() -> None:
    # field 6, house 1 + 1, lake only predicted, road nowhere
    scores = scores_of([[5, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert scores["iou"] == pytest.approx({"field": 5 / 7, "house": 1 / 2, "lake": 0.0})
    assert scores["f1"] == pytest.approx({"field": 10 / 12, "house": 2 / 3, "lake": 0.0})
    assert scores["absent"] == ["road"]
    assert scores["miou"] == pytest.approx((5 / 7 + 1 / 2 + 0) / 3)
    # weighted by the truth: 6 field, 2 house
    assert scores["fw_iou"] == pytest.approx((6 * 5 / 7 + 2 * 1 / 2) / 8)
    assert scores["mean_f1"] == pytest.approx((10 / 12 + 2 / 3 + 0) / 3)
    assert scores["accuracy"] == pytest.approx(6 / 8)
    assert (scores["loss"], scores["batch_miou"]) == (0.25, 0.125)
    assert scores["confusion"] == [[5, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("counts", "name", "miou"),
    [
        # The largest class of the truth has an IoU of its share, every other of 0.
        ([[6, 0, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], "field", (6 / 8) / 2),
        ([[1, 0, 0, 0], [0, 0, 9, 0], [5, 0, 0, 0], [0, 0, 0, 5]], "house", (9 / 20) / 4),
        ([[0, 9, 9, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], "field", 1.0),
    ],
)
def test_the_trivial_answer_is_the_largest_class_everywhere(
    counts: list[list[int]], name: str, miou: float
) -> None:
    scores = scores_of(counts)
    assert scores["majority_class"] == name
    assert scores["majority_miou"] == pytest.approx(miou)
    everywhere = ConfusionMatrix(4)
    everywhere.counts[:, ["field", "house", "lake", "road"].index(name)] = torch.tensor(counts).sum(
        dim=1
    )
    assert scores["majority_miou"] == pytest.approx(everywhere.miou())


def test_json_has_no_nan_for_an_absent_class(patches: Path, trained: Path, files: RunFiles) -> None:
    for name in ("b_val", "c_test"):  # no lake any more
        file = patches / "masks" / f"{name}.npy"
        masks = np.load(file)
        masks[masks == 2] = 1
        np.save(file, masks)
    best = load_checkpoint(trained / "best.pt")
    best.weights["head.bias"][2] = -1e6  # and none predicted
    save_checkpoint(best, trained / "best.pt")
    detail = evaluate(patches, trained, files, PARAMS).detail
    assert detail["test"]["absent"] == ["lake"]
    assert [*detail["test"]["iou"]] == ["field", "house"]
    assert "NaN" not in files.detail.read_text()


def test_more_panel_patches_than_there_are_are_all(
    patches: Path, trained: Path, files: RunFiles
) -> None:
    results = evaluate(patches, trained, files, replace(PARAMS, panel_patches=9))
    assert [ids.shape for ids in results.predictions.values()] == [(32, 32)] * 3


@pytest.mark.slow
def test_scores_depend_on_batch_size_only_where_they_say_so(
    patches: Path, trained: Path, files: RunFiles
) -> None:
    by_two = evaluate(patches, trained, files, PARAMS).detail["test"]
    by_one = evaluate(patches, trained, files, replace(PARAMS, batch_size=1)).detail["test"]
    assert by_two.pop("batch_miou") != by_one.pop("batch_miou")
    assert math.isclose(by_two.pop("loss"), by_one.pop("loss"), rel_tol=1e-5)
    first, second = by_two.pop("calibration"), by_one.pop("calibration")
    assert math.isclose(first["ece"], second["ece"], rel_tol=1e-5)
    assert by_two == by_one


def test_other_classes_than_those_of_the_training_are_refused(
    patches: Path, trained: Path, files: RunFiles
) -> None:
    summary = (patches / "patches.json").read_text()
    (patches / "patches.json").write_text(summary.replace('"house"', '"barn"'))
    message = (
        r"run/best\.pt: trained on classes \['field', 'house', 'lake'\], but the patches hold "
        r"\['field', 'barn', 'lake'\]"
    )
    with pytest.raises(ValueError, match=message):
        evaluate(patches, trained, files, PARAMS)
    assert not files.scores.parent.exists()


@pytest.mark.parametrize("name", ["best.pt", "last.pt"])
def test_a_missing_checkpoint_is_named(
    patches: Path, trained: Path, files: RunFiles, name: str
) -> None:
    (trained / name).unlink()
    with pytest.raises(ValueError, match=f"run/{name}: missing or damaged checkpoint"):
        evaluate(patches, trained, files, PARAMS)
    assert not files.scores.parent.exists()


@pytest.mark.slow
def test_the_card_of_another_run_or_data_set_stays(
    patches: Path, trained: Path, files: RunFiles
) -> None:
    other = trained.with_name("other")
    shutil.copytree(trained, other)
    for folder in (trained, other):
        (folder / "best.md").write_text(f"card of {folder.name}")
    evaluate(patches, trained, files, PARAMS, "mars")
    with pytest.raises(
        ValueError, match=r"other/predictions\.npz: is in the folder of another run"
    ):
        evaluate(patches, trained, replace(files, predictions=other / "predictions.npz"), PARAMS)
    in_run = replace(files, predictions=trained / "predictions.npz")
    with pytest.raises(
        ValueError, match=r"a run on sample, whose card .* by those on mars; choose"
    ):
        evaluate(patches, trained, in_run, PARAMS, "mars")
    assert (trained / "best.md").read_text() == "card of run"
    assert (other / "best.md").read_text() == "card of other"
    assert "## Scores" in (files.predictions.parent / "best.md").read_text()
    evaluate(patches, trained, in_run, PARAMS, "sample")
    assert "## Scores" in (trained / "best.md").read_text()


@pytest.mark.parametrize("dataset", ["sample", "landcover_ai", "folder"])
def test_the_params_file_has_a_section_for_each_data_set(dataset: str) -> None:
    section = f"datasets.{dataset}.evaluate"
    assert load_section(SRC.parent / "params.yaml", section, Evaluate).panel_patches >= 1


def arguments(folder: Path, **changes: str) -> list[str]:
    values = {
        "dataset": "sample",
        "patches": str(folder),
        "run": "run",
        "scores": "out/run.json",
        "detail": "out/detail.json",
        "predictions": "out/predictions.npz",
    }
    return [part for key, value in (values | changes).items() for part in (f"--{key}", value)]


@pytest.mark.slow
def test_the_command_writes_and_prints_the_scores(
    patches: Path, trained: Path, files: RunFiles, tmp_path: Path
) -> None:
    write_params(tmp_path / "params.yaml")
    script = [sys.executable, SRC / "evaluate.py", *arguments(patches)]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=True)
    detail = read_results(files, RUN).detail
    expected = [
        f"{split}: mIoU {detail[split]['miou']:.4f} (all {detail[split]['majority_class']}: "
        f"{detail[split]['majority_miou']:.4f}), accuracy {detail[split]['accuracy']:.4f}"
        for split in ("val", "test")
    ]
    assert done.stdout.splitlines() == expected
    assert len(read_results(files, RUN).predictions) >= 2
    miou = f"{detail['test']['miou']:.4f}"
    assert not (trained / "best.md").exists()  # nothing goes where nothing was asked for
    card = (tmp_path / "out" / "best.md").read_text().splitlines()
    assert [line.split("|")[3].strip() for line in card if line.startswith("| mIoU  ")] == [miou]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run": "no-run"}, "error: no-run/best.pt: missing or damaged checkpoint: "),
        ({"dataset": "mars"}, "error: params.yaml: datasets.mars.evaluate: no key 'mars'"),
    ],
)
def test_the_command_ends_with_status_1_and_one_line(
    patches: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    message: str,
) -> None:
    write_params(tmp_path / "params.yaml")
    error = fails_with(monkeypatch, capsys, main, arguments(patches, **changes))
    assert error.startswith(message)
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
