"""`dvc exp run -S ...` and `make verify`, in a clone of one architecture and one recipe."""

import json
from typing import Any

import pytest

from clones import Clone, shrunk_clone

pytestmark = pytest.mark.slow
FRACTIONS = ("0.1", "0.15")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    def change(params: dict[str, Any]) -> None:
        params |= {"architectures": ["unet"], "recipes": ["tuned"]}

    made = shrunk_clone(tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("cache"), change)
    made.run("dvc", "repro")
    made.commit("its results")
    return made


def trained(printed: str) -> set[str]:
    lines = printed.splitlines()
    return {line.split("'")[1] for line in lines if line.startswith("Running stage 'train")}


def test_a_new_fraction_in_a_temporary_workspace_trains_its_cells_only(clone: Clone) -> None:
    before = clone.run("git", "status", "--porcelain")
    out = clone.run("dvc", "exp", "run", "--temp", "-S", "label_fraction=0.05", "-n", "five")
    assert trained(out) == {"train@sample-main-random-unet-0.05-tuned-42"}
    assert clone.run("git", "status", "--porcelain") == before
    rows = [line.split("|")[1].strip() for line in out.splitlines() if "| UNet" in line]
    assert rows == ["5 %", "10 %", "15 %"]
    diff = json.loads(clone.run("dvc", "metrics", "diff", "HEAD", "five", "--json"))
    changed = diff["metrics/summary.json"]
    assert any(key.startswith("unet.tuned.") for key in changed)
    assert any(key.endswith(".val_accuracy") for key in changed)


def test_another_seed_trains_its_runs_only_and_the_table_has_deviations(clone: Clone) -> None:
    before = clone.read("metrics/summary.json")["unet"]["tuned"]
    out = clone.run("dvc", "exp", "run", "-S", "seeds=[42,1]")
    assert trained(out) == {f"train@sample-main-random-unet-{f}-tuned-1" for f in FRACTIONS}
    rows = clone.read("plots/sample/table.json")
    assert [row["seeds"] for row in rows] == [[42, 1]] * 2
    for row in rows:
        name = f"unet-{row['label_fraction']}-tuned"
        first, second = (
            clone.read(f"metrics/sample/main/random/{name}-{seed}.json")["test_miou"]
            for seed in (42, 1)
        )
        assert row["test_miou"] == pytest.approx((first + second) / 2)
        assert row["test_miou_std"] == pytest.approx(abs(first - second) / 2**0.5)
    after = clone.read("metrics/summary.json")["unet"]["tuned"]
    assert after["test_miou"] == rows[0]["test_miou"] != before["test_miou"]
    assert after["test_miou_std"] == rows[0]["test_miou_std"]
    compared = {row["axis"]: row for row in clone.read("plots/sample/differences.json")}
    assert compared.keys() == {"fraction"}
    clone.restore()


def test_two_splits_stand_side_by_side(clone: Clone) -> None:
    out = clone.run("dvc", "exp", "run", "-S", "splits=[main,official]")
    assert trained(out) == {f"train@sample-official-random-unet-{f}-tuned-42" for f in FRACTIONS}
    rows = clone.read("plots/sample/table.json")
    cells = [(row["split"], row["label_fraction"]) for row in rows]
    assert cells == [("main", 0.1), ("main", 0.15), ("official", 0.1), ("official", 0.15)]
    own, of_all = (
        clone.read(f"metrics/sample/detail/{split}/random/unet-0.1-tuned-42.json")["test"]
        for split in ("main", "official")
    )
    assert len(own["orthophotos"]) == 2 < len(of_all["orthophotos"])
    (pooled,) = (
        row
        for row in clone.read("plots/sample/differences.json")
        if row["axis"] == "split" and row["pooled"]
    )
    expected = sum(row["test_miou"] for row in rows[2:]) - sum(row["test_miou"] for row in rows[:2])
    assert pooled["difference"] == pytest.approx(expected / 2)
    clone.restore()


def test_the_committed_metrics_come_out_again(clone: Clone) -> None:
    said = clone.run("python", "src/verify.py").splitlines()[-1]
    assert said.endswith(" metrics, 0 differ by more than 1e-06")
    assert int(said.split()[0]) > 2 * 50


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("label_fraction=1.5", "label_fraction: should be less than or equal to 1, got 1.5"),
        ("label_fraction=0", "label_fraction: should be greater than 0, got 0"),
        ("architectures=[segnet]", "architectures.0: should be 'unet' or 'unetplusplus', got 'se"),
        (
            "recipes=[fast]",
            "recipes: 'fast' is not in datasets.sample.recipes (reproduction, ",
        ),
        ("seeds=[]", "seeds: should have at least 1 item, got []"),
        ("splits=[random]", "splits: 'random' is not in datasets.sample.splits (main, official)"),
        ("dataset=moon", "dataset 'moon' has no section under datasets (sample, landcover_ai, "),
        ("datasets.sample.tile.size=none", "datasets.sample.tile.size: should be a valid integer"),
    ],
)
def test_bad_parameters_stop_with_one_line(clone: Clone, setting: str, message: str) -> None:
    out = clone.fail("dvc", "exp", "run", "-S", setting)
    assert f"error: params.yaml: {message}" in out
    assert "Traceback" not in out
    clone.run("git", "checkout", "-q", "params.yaml")
