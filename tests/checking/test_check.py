from pathlib import Path

import pytest

from code_of_stage import SRC
from partialseg.checking.check import check

GOOD = """
dataset: sample
label_fraction: 0.10
sweep: []
seeds: [42, 1]
splits: [main]
labellings: [random]
architectures: [unet, unetplusplus]
recipes: [plain, tuned_2]
strategies: [entropy]
rounds: [{after: 0.01, fraction: 0.02}, {after: 0.02, fraction: 0.05}]
tested_on: []
datasets:
  sample:
    {download: {}, tile: {}, splits: {main: {}, official: {a: 1}}, label: {},
     labellings: {random: {}, points: {a: 1}}, acquire: {},
     strategies: {entropy: {}, random: {}, margin: {a: 1}}, train: {},
     recipes: {plain: {}, tuned_2: {a: 1}}, evaluate: {}}
  folder:
    {download: {}, tile: {}, splits: {main: {}}, label: {},
     labellings: {random: {}}, acquire: {}, strategies: {entropy: {}}, train: {},
     recipes: {plain: {}}, evaluate: {}}
"""


def check_text(tmp_path: Path, text: str) -> Path:
    (tmp_path / "params.yaml").write_text(text)
    check(tmp_path / "params.yaml", tmp_path / "note.txt")
    return tmp_path / "note.txt"


def test_valid_parameters_leave_a_note_that_never_changes(tmp_path: Path) -> None:
    shipped = (SRC.parent / "params.yaml").read_text()
    other = shipped.replace("label_fraction: 0.10", "label_fraction: 0.5")
    assert other != shipped
    first = check_text(tmp_path, shipped).read_bytes()
    assert first == check_text(tmp_path, other).read_bytes()
    assert first == b"The parameters at the top level are valid.\n"


DRAWN = r"labellings: 'random' needs splits whose train_truth is labels, .* of 'main' is None"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "dataset: sample",
            "dataset: moon",
            r"dataset 'moon' has no section under datasets \(sample, folder\)",
        ),
        ("dataset: sample", "dataset: Moon", r"dataset: String should match pattern .*got 'Moon'"),
        ("label_fraction: 0.10", "label_fraction: 0", "label_fraction: .*greater than 0, got 0"),
        ("label_fraction: 0.10", "label_fraction: 1.5", r"less than or equal to 1, got 1\.5"),
        ("label_fraction: 0.10", "label_fraction: 10%", r"label_fraction: .*number, got '10%'"),
        ("label_fraction: 0.10", "label_fraction: 1", r"label_fraction: write 1\.0, .*, got 1$"),
        ("sweep: []", "sweep: [0.2, 1]", r"sweep\.1: write 1\.0, since .*, got 1$"),
        ("label_fraction", "label_fractoin", "label_fraction: is missing; label_fractoin: is unk"),
        ("sweep: []", "sweep: [0.2, 0.2]", r"sweep must differ, got \[0\.2, 0\.2\]"),
        ("sweep: []", "sweep: [0.2, 2]", r"sweep\.1: .*less than or equal to 1, got 2"),
        ("[unet, ", "[segnet, ", r"architectures\.0: should be 'unet' or .*, got 'segnet'"),
        ("[unet, unetplusplus]", "[unet, unet]", r"architectures must differ, got \['unet', 'un"),
        ("[unet, unetplusplus]", "[]", r"architectures: .*at least 1 item"),
        ("[plain, tuned_2]", "[plain, plain]", r"recipes must differ, got \['plain', 'plain'\]"),
        ("[plain, tuned_2]", "[]", r"recipes: .*at least 1 item"),
        (
            "[plain, tuned_2]",
            "[fast]",
            r"recipes: 'fast' is not in datasets\.sample\.recipes \(p",
        ),
        ("tested_on: []", "tested_on: [moon]", r"other than sample \(folder\), got 'moon'"),
        ("tested_on: []", "tested_on: [sample]", r"other than sample \(folder\), got 'sample'"),
        ("tested_on: []", "tested_on: [folder, folder]", "tested_on must differ"),
        (
            "dataset: sample",
            "dataset: folder",
            r"'tuned_2' is not in datasets\.folder\.recipes \(p",
        ),
        ("[plain, tuned_2]", "[2-fast]", r"recipes\.0: .*pattern.*, got '2-fast'"),
        ("{plain: {}, t", "{../x: {}, t", r"datasets\.sample\.recipes\.\.\./x.*: .*pattern"),
        ("{plain: {}, t", "{plain: , t", r"sample\.recipes\.plain: .*, got None"),
        ("[random]", "[random, random]", r"labellings must differ, got \['random', 'random'\]"),
        ("[random]", "[]", r"labellings: .*at least 1 item"),
        (
            "[random]",
            "[brush]",
            r"'brush' is not in datasets\.sample\.labellings \(random, ",
        ),
        ("[random]", "[../x]", r"labellings\.0: .*pattern.*, got '\.\./x'"),
        ("labellings: {random: {}}, ", "", r"datasets\.folder\.labellings: is missing"),
        (" label: {},\n", "\n", r"datasets\.sample\.label: is missing"),
        ("recipes: {plain: {}}, ", "", r"datasets\.folder\.recipes: is missing"),
        ("[main]", "[main, main]", r"splits must differ, got \['main', 'main'\]"),
        ("[main]", "[random]", r"splits: 'random' is not in datasets\.sample\.splits \(main, of"),
        ("splits: {main: {}}, ", "", r"datasets\.folder\.splits: is missing"),
        ("[42, 1]", "[]", r"seeds: .*at least 1 item"),
        ("[42, 1]", "[42, 42]", r"seeds must differ, got \[42, 42\]"),
        ("[42, 1]", "[4294967296]", r"seeds\.0: should be less than 4294967296, got 4294967296"),
        (
            "sample:\n    {download: {}, ",
            "sample:\n    {downlaod: {}, ",
            r"sample\.downlaod: is unknown",
        ),
        ("[42, 1]", "[-1]", r"seeds\.0: .*greater than or equal to 0, got -1"),
        (
            "[entropy]",
            "[core]",
            r"'core' is not in datasets\.sample\.strategies \(entropy, random, margin\)",
        ),
        ("[entropy]", "[entropy, entropy]", r"strategies must differ, got \['entropy', 'ent"),
        ("[entropy]", "[random]", r"strategies: 'random' is in labellings, too, and files are"),
        ("[entropy]", "[]", r"strategies and rounds belong together, got 0 strategies and 2 rou"),
        ("rounds: [{", "rounds: [] # ", r"belong together, got 1 strategies and 0 rounds"),
        (
            "{after: 0.01",
            "{after: 0.02",
            r"rounds\.0: fraction must be larger than after, got 0\.02 ",
        ),
        (
            "{after: 0.02",
            "{after: 0.03",
            r"up to 0\.05 is after 0\.03, but the one before ends at 0",
        ),
        ("{after: 0.01", "{after: 0", r"rounds\.0\.after: should be greater than 0, got 0"),
        ("{after: 0.01, ", "{", r"rounds\.0\.after: is missing"),
        ("fraction: 0.05", "fraction: 1.5", r"rounds\.1\.fraction: .*less than or equal to 1"),
        (" label: {},\n", " label: {pattern: drawn},\n", DRAWN),
        ("labellings: {random: {}", "labellings: {random: {pattern: drawn}", DRAWN),
        (
            "splits: {main: {}",
            "splits: {main: {train_truth: labels}",
            r"strategies: they buy labels of masks, and train_truth of 'main' is labels",
        ),
    ],
)
def test_a_wrong_value_is_named_and_nothing_written(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(ValueError, match=r"params\.yaml: .*" + message):
        check_text(tmp_path, GOOD.replace(old, new))
    assert not (tmp_path / "note.txt").exists()


def test_the_shipped_parameters_are_valid(tmp_path: Path) -> None:
    experiment = check(SRC.parent / "params.yaml", tmp_path / "note.txt")
    assert (experiment.dataset, experiment.label_fraction) == ("sample", 0.1)
    assert (experiment.strategies, experiment.rounds) == ((), ())
    assert list(experiment.datasets) == ["sample", "landcover_ai", "folder"]
