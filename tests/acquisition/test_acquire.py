import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import softmax

from acquire import main
from acquisition_pool import evenly_predicting_network, network_input
from checkpoints import checkpoint_of, trained_network
from code_of_stage import SRC
from partialseg.acquisition.acquire import PreviousRound, acquire
from partialseg.acquisition.params import Acquire
from partialseg.acquisition.prediction import entropy, margin
from partialseg.engine.checkpoint import save_checkpoint
from partialseg.labelling.label import label
from partialseg.labelling.labels import LabelStore
from partialseg.tiling.patches import PatchStore
from small_run import fails_with, label_params, small_run

PIXELS = 3 * 32 * 32
FILES = ("visible.npy", "labels.csv", "labels.json", "acquisition.json")
# All that chooses by a network.
CHOICES = [
    ("class_balanced", "pixel"),
    ("entropy", "pixel"),
    ("margin", "pixel"),
    ("core_set", "pixel"),
    ("class_balanced", "region"),
    ("entropy", "region"),
    ("margin", "region"),
    ("core_set", "region"),
]


def params_of(strategy: str, unit: str, region: int = 8) -> Acquire:
    values: dict[str, Any] = {
        "strategy": strategy,
        "unit": unit,
        "region": region,
        "batch_size": 2,
        "precision": "float32",
        "threads": 1,
        "workers": 0,
    }
    return Acquire(**values)


@pytest.fixture
def patches(make_patches: Callable[..., Path]) -> Path:
    return make_patches()


@pytest.fixture
def labels(patches: Path, tmp_path: Path) -> Path:
    label(patches, tmp_path / "labels", 0.1, 42, label_params())
    return tmp_path / "labels"


@pytest.fixture
def run_folder(patches: Path, tmp_path: Path) -> Path:
    network = evenly_predicting_network(patches)
    save_checkpoint(checkpoint_of(network, base_channels=8), tmp_path / "run" / "best.pt")
    return tmp_path / "run"


def visible(patches: Path, labels: Path) -> NDArray[np.bool_]:
    """Return the visible pixels (P, H, W) of a label store."""
    names = [patch.name for patch in PatchStore(patches).of_split("train")]
    store = LabelStore(labels, names)
    return np.stack([store.visible(place) for place in range(len(names))])


def truth(patches: Path) -> NDArray[np.uint8]:
    store = PatchStore(patches)
    return np.stack([store.truth(patch) for patch in store.of_split("train")])


def after(labels: Path, run: Path | None = None) -> PreviousRound:
    return PreviousRound(labels=labels, run=run)


def summary_of(folder: Path) -> dict[str, Any]:
    """Return what a label store says of how its new pixels were chosen."""
    summary: dict[str, Any] = json.loads((folder / "acquisition.json").read_text())
    return summary


def content(folder: Path) -> dict[str, bytes]:
    assert {file.name for file in folder.iterdir()} == set(FILES)
    return {name: (folder / name).read_bytes() for name in FILES}


def network_probabilities(patches: Path) -> NDArray[np.float32]:
    with torch.no_grad():
        logits = evenly_predicting_network(patches)(network_input(patches))
    return softmax(logits.numpy(), axis=1)


def test_a_network_predicts_with_the_threads_that_were_asked_for(
    patches: Path, labels: Path, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    params = replace(params_of("margin", "pixel"), threads=3)
    acquire(patches, after(labels, run_folder), tmp_path / "out", 0.25, params, 42)
    assert asked == [3]


def test_rounds_of_random_pixels_are_the_labels_of_their_fraction(
    patches: Path, labels: Path, tmp_path: Path
) -> None:
    before = labels
    for fraction in (0.15, 0.3, 0.77):
        out = tmp_path / str(fraction)
        acquire(patches, after(before), out, fraction, params_of("random", "pixel"), 42)
        drawn = tmp_path / f"drawn-{fraction}"
        label(patches, drawn, fraction, 42, label_params())
        assert (out / "visible.npy").read_bytes() == (drawn / "visible.npy").read_bytes()
        bought, of_label = (
            json.loads((folder / "labels.json").read_text()) for folder in (out, drawn)
        )
        assert bought["pattern"] == of_label["pattern"] == "random"
        assert bought["counts"] == of_label["counts"] and bought["visible"] == of_label["visible"]
        before = out


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "unit"), [("random", "region"), *CHOICES])
def test_old_and_new_pixels_are_written_with_their_classes(
    patches: Path, labels: Path, run_folder: Path, tmp_path: Path, strategy: str, unit: str
) -> None:
    out = tmp_path / "out"
    acquired = acquire(patches, after(labels, run_folder), out, 0.25, params_of(strategy, unit), 42)
    old, now = visible(patches, labels), visible(patches, out)
    assert (now | old).sum() == now.sum() == acquired.labelled + acquired.bought
    assert (acquired.labelled, acquired.budget) == (306, 768 - 306)
    assert acquired.without_truth == 0
    counts = np.bincount(truth(patches)[now & ~old], minlength=3).tolist()
    assert list(acquired.counts.values()) == counts
    summary = json.loads((out / "labels.json").read_text())
    all_counts = np.bincount(truth(patches)[now], minlength=3).tolist()
    assert list(summary["counts"].values()) == all_counts
    assert (summary["fraction"], summary["seed"]) == (0.25, 42)
    assert (summary["pattern"], summary["clicks"], summary["seconds"]) == (strategy, None, None)
    assert summary["short"] == {}
    assert summary_of(out) == asdict(acquired)
    if unit == "pixel":
        assert (acquired.bought, acquired.region) == (462, 0)
    else:  # a window of 64 px more would not fit; a tenth of them was labelled before
        assert 462 - 64 < acquired.bought <= 462
        assert acquired.region == 8
        of_window = now.reshape(3, 4, 8, 4, 8).sum(axis=(2, 4))
        whole = of_window == 64
        assert acquired.bought == (~old).reshape(3, 4, 8, 4, 8).sum(axis=(2, 4))[whole].sum()


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "score"), [("entropy", entropy), ("margin", margin)])
def test_the_pixels_that_the_network_is_least_sure_of_are_bought(
    patches: Path,
    labels: Path,
    run_folder: Path,
    tmp_path: Path,
    strategy: str,
    score: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> None:
    acquire(
        patches, after(labels, run_folder), tmp_path / "out", 0.25, params_of(strategy, "pixel"), 42
    )
    old, now = visible(patches, labels), visible(patches, tmp_path / "out")
    scores = np.stack([score(of_patch) for of_patch in network_probabilities(patches)])
    assert scores[now & ~old].min() > scores[~now].max() - 1e-4
    assert scores[now & ~old].min() > scores[~old].mean()


def test_the_core_set_by_pixel_leaves_no_feature_as_far_from_a_label_as_chance_does(
    patches: Path, labels: Path, run_folder: Path, tmp_path: Path
) -> None:
    network = evenly_predicting_network(patches).eval()
    seen: list[NDArray[np.float32]] = []
    network.head.register_forward_hook(lambda _, entered, __: seen.append(entered[0].numpy()))
    with torch.no_grad():
        network(network_input(patches))
    features = np.moveaxis(seen[0], 1, -1)  # (P, H, W, D)
    radius = {}
    for strategy in ("core_set", "random"):
        out = tmp_path / strategy
        acquire(patches, after(labels, run_folder), out, 0.13, params_of(strategy, "pixel"), 42)
        now = visible(patches, out)
        assert now.sum(axis=(1, 2)).tolist() == [133, 133, 133]
        radius[strategy] = max(
            cdist(of_patch.reshape(-1, 8), of_patch[mask]).min(axis=1).max()
            for of_patch, mask in zip(features, now, strict=True)
        )
    assert radius["core_set"] < 0.8 * radius["random"]


def test_predicted_classes_are_bought_equally(
    patches: Path, labels: Path, run_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    acquire(patches, after(labels, run_folder), out, 0.2, params_of("class_balanced", "pixel"), 42)
    new = visible(patches, out) & ~visible(patches, labels)
    predicted = network_probabilities(patches).argmax(axis=1)
    rarest = np.argsort(np.bincount(truth(patches)[visible(patches, labels)]))
    shares = np.bincount(predicted[new])
    assert shares[rarest].tolist() == [103, 103, 102]


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "unit"), CHOICES)
def test_equal_seeds_give_equal_bytes(
    patches: Path, labels: Path, run_folder: Path, tmp_path: Path, strategy: str, unit: str
) -> None:
    first, second = (
        acquire_into(tmp_path / name, patches, labels, run_folder, strategy, unit)
        for name in ("first", "second")
    )
    assert first == second


def acquire_into(
    out: Path, patches: Path, labels: Path, run_folder: Path, strategy: str, unit: str
) -> dict[str, bytes]:
    acquire(patches, after(labels, run_folder), out, 0.25, params_of(strategy, unit), 42)
    return content(out)


@pytest.mark.parametrize("unit", ["pixel", "region"])
def test_other_seeds_draw_other_pixels(
    patches: Path, labels: Path, tmp_path: Path, unit: str
) -> None:
    for seed in (42, 43):
        acquire(patches, after(labels), tmp_path / f"{seed}", 0.25, params_of("random", unit), seed)
    assert (visible(patches, tmp_path / "42") != visible(patches, tmp_path / "43")).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "unit"), [("random", "pixel"), ("random", "region"), *CHOICES]
)
def test_the_truth_of_pixels_that_are_not_bought_does_not_matter(
    patches: Path, labels: Path, run_folder: Path, tmp_path: Path, strategy: str, unit: str
) -> None:
    before = acquire_into(tmp_path / "before", patches, labels, run_folder, strategy, unit)
    bought = visible(patches, tmp_path / "before")
    file = patches / "masks" / "a_train.npy"
    masks = np.load(file)
    assert masks.shape == bought.shape
    corrupted = np.where(bought, masks, (masks + 1) % 3)
    corrupted[~bought & (np.arange(32) % 2 == 0)] = 255  # some have no truth, either
    assert (corrupted != masks).sum() == (~bought).sum() > 2_000
    np.save(file, corrupted)
    after = acquire_into(tmp_path / "after", patches, labels, run_folder, strategy, unit)
    assert after == before


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "unit"), [("random", "pixel"), *CHOICES])
def test_the_choice_does_not_know_which_pixels_have_no_truth(
    patches: Path, labels: Path, run_folder: Path, tmp_path: Path, strategy: str, unit: str
) -> None:
    acquire_into(tmp_path / "before", patches, labels, run_folder, strategy, unit)
    old, now = visible(patches, labels), visible(patches, tmp_path / "before")
    file = patches / "masks" / "a_train.npy"
    masks = np.load(file)
    masks[:, :, :16] = 255
    masks[old] = 0
    np.save(file, masks)
    acquire_into(tmp_path / "after", patches, labels, run_folder, strategy, unit)
    np.testing.assert_array_equal(visible(patches, tmp_path / "after"), now)
    acquired = summary_of(tmp_path / "after")
    assert acquired["without_truth"] == (now & ~old)[:, :, :16].sum() > 0
    assert acquired["bought"] == (now & ~old).sum()
    assert sum(acquired["counts"].values()) == acquired["bought"] - acquired["without_truth"]


def test_the_network_of_a_training_chooses_round_after_round(patches: Path, tmp_path: Path) -> None:
    small_run(patches, tmp_path / "run", epochs=1)  # on half of the pixels
    rounds = [tmp_path / "run-labels"]
    for fraction in (0.6, 0.7):
        out = tmp_path / str(fraction)
        acquired = acquire(
            *(patches, after(rounds[-1], tmp_path / "run"), out, fraction),
            *(params_of("margin", "pixel"), 42),
        )
        rounds.append(out)
        assert acquired.labelled + acquired.bought == int(fraction * PIXELS)
    first, second, third = (visible(patches, folder) for folder in rounds)
    assert not (first & ~second).any() and not (second & ~third).any()


@pytest.mark.parametrize("strategy", ["class_balanced", "entropy", "margin", "core_set"])
def test_a_strategy_that_needs_a_run_says_so(
    patches: Path, labels: Path, tmp_path: Path, strategy: str
) -> None:
    message = rf"acquire: strategy {strategy} chooses by a trained network and got no run; train"
    with pytest.raises(ValueError, match=message):
        acquire(patches, after(labels), tmp_path / "out", 0.2, params_of(strategy, "region"), 42)
    assert not (tmp_path / "out").exists()


def test_a_budget_that_is_spent_already_is_refused(
    patches: Path, labels: Path, tmp_path: Path
) -> None:
    message = (
        r"labels: 306 of 3072 pixels are labelled already, label_fraction 0\.09 allows 276; "
        "take a larger fraction"
    )
    with pytest.raises(ValueError, match=message):
        acquire(patches, after(labels), tmp_path / "out", 0.09, params_of("random", "pixel"), 42)
    assert not (tmp_path / "out").exists()


def test_a_pixel_less_than_one_a_patch_is_refused(
    patches: Path, labels: Path, tmp_path: Path
) -> None:
    # The floor of a tenth of all patches' pixels is 307, that of each patch makes 306.
    message = r"chooses alike in all patches, and a budget of 1 new pixels is less than one"
    with pytest.raises(ValueError, match=message):
        acquire(patches, after(labels), tmp_path / "out", 0.1, params_of("random", "pixel"), 42)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1, float("nan")])
def test_other_fractions_are_refused(
    patches: Path, labels: Path, tmp_path: Path, fraction: float
) -> None:
    with pytest.raises(ValueError, match=rf"must be in 0 < fraction <= 1, got {fraction}"):
        acquire(
            patches, after(labels), tmp_path / "out", fraction, params_of("random", "pixel"), 42
        )


def test_everything_can_be_bought_and_then_nothing(
    patches: Path, labels: Path, run_folder: Path, tmp_path: Path
) -> None:
    params = params_of("entropy", "region")
    acquired = acquire(patches, after(labels, run_folder), tmp_path / "all", 1.0, params, 42)
    assert acquired.bought == acquired.budget == PIXELS - 306
    message = r"all: 3072 of 3072 pixels are labelled already, label_fraction 1\.0 allows 3072"
    with pytest.raises(ValueError, match=message):
        acquire(patches, after(tmp_path / "all", run_folder), tmp_path / "more", 1.0, params, 42)


def test_a_failure_leaves_an_earlier_result_as_it_was(
    patches: Path, labels: Path, run_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    before = acquire_into(out, patches, labels, run_folder, "entropy", "pixel")
    masks = np.load(patches / "masks" / "a_train.npy")
    masks[2] = 77
    np.save(patches / "masks" / "a_train.npy", masks)
    with pytest.raises(ValueError, match="patch a_train_2: damaged truth: class id 77"):
        acquire(patches, after(labels, run_folder), out, 0.3, params_of("entropy", "pixel"), 42)
    assert content(out) == before
    assert not list(tmp_path.glob("*.part"))


def test_a_run_of_other_classes_is_refused(patches: Path, labels: Path, tmp_path: Path) -> None:
    checkpoint = checkpoint_of(trained_network(), class_names=["field", "house", "sea"])
    save_checkpoint(checkpoint, tmp_path / "run" / "best.pt")
    message = r"best\.pt: trained on classes \['field', 'house', 'sea'\], but the patches hold"
    params = params_of("entropy", "pixel")
    with pytest.raises(ValueError, match=message):
        acquire(patches, after(labels, tmp_path / "run"), tmp_path / "out", 0.2, params, 42)
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(ValueError, match=r"best\.pt: missing or damaged checkpoint"):
        acquire(patches, after(labels, tmp_path / "run"), tmp_path / "out", 0.2, params, 42)


def arguments(patches: Path, labels: Path, strategy: str, *more: str) -> list[str]:
    """Write params.yaml beside the labels; return the arguments of src/acquire.py."""
    params = yaml.safe_load((SRC.parent / "params.yaml").read_text(encoding="utf-8"))
    sample = params["datasets"]["sample"]
    sample["acquire"] = asdict(params_of("random", "pixel"))
    sample["strategies"] = {"chosen": {"strategy": strategy}}
    file = labels.with_name("params.yaml")
    file.write_text(yaml.safe_dump(params), encoding="utf-8")
    values = {
        "params": file,
        "dataset": "sample",
        "strategy": "chosen",
        "patches": patches,
        "labels": labels,
        "fraction": 0.25,
        "seed": 42,
        "out": labels.with_name("out"),
    }
    return [*(part for key, value in values.items() for part in (f"--{key}", str(value))), *more]


def test_the_command_writes_the_labels(
    patches: Path,
    labels: Path,
    run_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = arguments(patches, labels, "entropy", "--run", str(run_folder))
    monkeypatch.setattr("sys.argv", ["acquire.py", *given])
    main()
    assert summary_of(labels.with_name("out"))["bought"] == 462
    assert capsys.readouterr().out.startswith("462 of 462 new pixels by entropy, a pixel at a time")


def test_the_command_says_in_one_line_what_is_wrong(
    patches: Path,
    labels: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    message = fails_with(monkeypatch, capsys, main, arguments(patches, labels, "entropy"))
    assert message == (
        "error: acquire: strategy entropy chooses by a trained network and got no run; train on "
        "the labels so far and give its folder, or take the strategy random\n"
    )
