"""README and docs: what they show is what the pipeline wrote, and what they name is there."""

import ast
import functools
import itertools
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from code_of_stage import SRC
from partialseg.acquisition.params import Acquire
from partialseg.checking.experiment import Experiment
from partialseg.core import params
from partialseg.core.params import load_section
from partialseg.labelling.params import Label
from partialseg.tiling.params import Tile
from partialseg.training.params import Train

ROOT = SRC.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8")
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "benchmarks/README.md")
}
pages = pytest.mark.parametrize("page", PAGES)
IN_GIT = ("src/", "tests/", "docs/", "benchmarks/", "plots/sample/", "metrics/sample/")
# Of dvc, as far as a page names them without a command.
OPTIONS_OF_OTHERS = {
    "--temp",
    "--queue",
    "--single-item",
    "--force",
    "--glob",
    "--all-commits",
    "--no-deps",  # pip
}


@dataclass(frozen=True)
class Script:
    """The options of a script, and those without which it does not run."""

    options: set[str]
    required: set[str]


def commands(text: str) -> Iterator[str]:
    """Yield the lines of indented blocks, continued ones joined, without their comments."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("    "):
            for command in re.sub(r"\s#.*", "", line).split("&&"):
                yield command.strip()


def code(text: str) -> Iterator[str]:
    """Yield commands, and what stands in backticks."""
    yield from commands(text)
    prose = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    yield from (" ".join(found.split()) for found in re.findall(r"`([^`]+)`", prose))


def settings(command: str) -> list[str]:
    """Return the `key=value` of all -S of a command."""
    if "-S " not in command:
        return []
    words = shlex.split(command)
    return [word for before, word in itertools.pairwise(words) if before == "-S"]


def script(file: Path) -> Script:
    """Read the options of a script in its calls of add_argument."""
    options, required = set(), set()
    for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "add_argument":
            (name,) = (arg.value for arg in call.args if isinstance(arg, ast.Constant))
            if str(name).startswith("--"):
                options.add(name)
            if any(item.arg == "required" for item in call.keywords):
                required.add(name)
    return Script(options, required)


SCRIPTS = {
    file.relative_to(ROOT).as_posix(): script(file)
    for folder in ("src", "benchmarks")
    for file in (ROOT / folder).glob("*.py")
} | {"src/predict.py": script(ROOT / "src" / "partialseg" / "mapping" / "options.py")}
SETTINGS = sorted(
    {tuple(settings(command)) for text in PAGES.values() for command in code(text)} - {()}
)


def test_the_table_of_the_sample_is_the_committed_one() -> None:
    table = (ROOT / "plots" / "sample" / "table.md").read_text(encoding="utf-8")
    rows = json.loads((ROOT / "plots" / "sample" / "table.json").read_text(encoding="utf-8"))
    assert table.count("UNet") == len(rows) >= 4
    shown = README.split("<!-- sample table -->\n")[1].split("<!-- end of sample table -->")[0]
    assert shown.strip() == table.strip()


def test_every_picture_and_file_that_it_names_is_there() -> None:
    for name in ("plots/sample/panel.png", "params.yaml", "LICENSE", "metrics/summary.json"):
        assert name in README
        assert (ROOT / name).is_file()


def test_no_figure_is_left_to_be_filled_in() -> None:
    for text in PAGES.values():
        assert re.findall(r"@[A-Z]+@", text) == []


def test_the_readme_is_read_in_five_minutes_and_leads_to_every_page() -> None:
    assert len(README.split()) <= 1300
    for page in PAGES.keys() - {"README.md"}:
        assert f"]({page})" in README


@pages
def test_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", PAGES[page]):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        file = (ROOT / page).parent / target if target else ROOT / page
        assert file.is_file(), link
        if anchor:
            titles = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w-]", "", re.sub(" ", "-", t.lower())) for t in titles}


@pages
def test_every_file_that_is_named_is_there(page: str) -> None:
    """Of patterns ('plots/<dataset>/table.md') and outputs outside of git nothing is asked."""
    scripts = [*SRC.rglob("*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/*.py")]
    names = {file.name for file in scripts}
    for found in code(PAGES[page]):
        for word in re.findall(r"(?<![\w<>*./-])[\w./-]+(?![\w<>*./-])", found):
            if word.endswith(".py") and "/" not in word:
                assert word in names, word
            elif word.startswith("partialseg."):
                assert SRC.joinpath(*word.split(".")).with_suffix(".py").is_file(), word
            elif word.startswith(IN_GIT) or word.endswith(".py"):
                assert (ROOT / word).exists() or (SRC / "partialseg" / word).exists(), word


@pages
def test_every_option_of_a_script_is_one(page: str) -> None:
    of_all = {option for item in SCRIPTS.values() for option in item.options}
    for command in code(PAGES[page]):
        named = re.search(r"(?:src|benchmarks)/\w+\.py", command)
        options = set(re.findall(r"(?<!\S)--[a-z][\w-]*", command[named.end() if named else 0 :]))
        if named and options:
            item = SCRIPTS[named[0]]
            assert options <= item.options, command
            assert item.required <= options, command
        elif command.startswith("--"):
            assert options <= of_all | OPTIONS_OF_OTHERS, command


@pages
def test_every_target_of_make_is_one(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in code(PAGES[page]):
        if command.startswith("make "):
            assert re.search(rf"^{command.split()[1]}:", makefile, re.MULTILINE), command
            for variable in re.findall(r"\b([A-Z]+)=", command):
                assert re.search(rf"^{variable} [:?]?=", makefile, re.MULTILINE), command


@pytest.mark.slow
@pages
def test_every_stage_of_a_command_is_one(page: str) -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for command in code(PAGES[page]):
        if command.startswith(("dvc repro", "dvc commit")):
            for word in shlex.split(command)[2:]:
                stage = word.split("@")[0].removeprefix("*")
                known = any(name.endswith(stage) for name in stages)
                assert known or word.startswith("-"), command


def test_there_are_settings_to_check() -> None:
    keys = {item.split("=")[0] for given in SETTINGS for item in given}
    assert {"label_fraction", "dataset", "rounds", "datasets.sample.recipes.tuned.epochs"} <= keys
    assert len(SETTINGS) > 20


@pytest.mark.slow
@pytest.mark.parametrize("given", SETTINGS, ids=" ".join)
def test_settings_are_keys_of_params_yaml_and_pass_the_checks_of_the_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...]
) -> None:
    """As `dvc exp run` writes them, and as check, tile, label, acquire and train read them."""
    monkeypatch.setattr(params, "read_yaml", functools.cache(params.read_yaml))
    file = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", file)
    apply_overrides(file, [*given])  # refuses an unknown key
    experiment = load_section(file, "", Experiment)
    section = f"datasets.{experiment.dataset}"
    parts: list[tuple[str, type, str, tuple[str, ...]]] = [
        ("tile", Tile, "splits", experiment.splits),
        ("label", Label, "labellings", experiment.labellings),
        ("acquire", Acquire, "strategies", experiment.strategies),
        ("train", Train, "recipes", experiment.recipes),
    ]
    for stage, kind, axis, names in parts:
        for name in names:
            load_section(file, f"{section}.{stage}", kind, f"{section}.{axis}.{name}")


def test_every_parameter_of_train_is_explained() -> None:
    train: dict[str, Any] = load_section(ROOT / "params.yaml", "datasets.sample.train", dict)
    table = PAGES["docs/gpu.md"].split("| parameter of `train` |")[1].split("\n\n")[0]
    first = " ".join(line.split("|")[1] for line in table.splitlines()[1:] if "|" in line)
    assert set(re.findall(r"`(\w+)`", first)) == train.keys()


def test_the_tree_has_every_room() -> None:
    tree = PAGES["docs/architecture.md"].split("    src/partialseg/\n")[1].split("\n\n")[0]
    library = SRC / "partialseg"
    there = {f"{item.name}/" for item in library.iterdir() if item.name[0] not in "_."}
    there = {item.removesuffix("/") if item.endswith(".py/") else item for item in there}
    assert {line.split()[0] for line in tree.splitlines()} == there


def test_every_name_on_the_page_of_the_code_is_in_it() -> None:
    files = [*SRC.rglob("*.py"), ROOT / "dvc.yaml", ROOT / "params.yaml"]
    used = set(re.findall(r"\w+", " ".join(file.read_text(encoding="utf-8") for file in files)))
    found = re.findall(r"`([A-Za-z_]\w*)(\.\w+)?(?:\(.*?\))?`", PAGES["docs/architecture.md"])
    named = {part.strip(".") for names in found for part in names if part}
    assert len(named) > 60
    assert named <= used


def test_every_output_for_people_is_explained() -> None:
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    text = PAGES["docs/results.md"]
    for stage in ("tile", "compare", "report", "publish"):
        outs = [
            out for kind in ("outs", "plots", "metrics") for out in pipeline[stage].get(kind, [])
        ]
        for out in outs:
            path = Path(out if isinstance(out, str) else next(iter(out)))
            if path.parts[0] in ("plots", "metrics", "models"):
                assert path.suffix in text and path.stem in text, path


def test_the_answers_of_the_evidence_are_those_of_its_runs() -> None:
    folder = ROOT / "docs" / "evidence"
    known = {}
    for study in ("cells", "splits"):
        file = folder / f"{study}-differences.json"
        for row in json.loads(file.read_text(encoding="utf-8")):
            limits = (row["low"], row["high"]), (row["jackknife_low"], row["jackknife_high"])
            shown = [f"{low:+.4f} to {high:+.4f}" for low, high in limits]
            known[f"{row['difference']:+.4f}", *shown] = row["verdict"]
    answer = PAGES["docs/evidence.md"].split("## The answer")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")] for line in answer.splitlines()]
    answers = [row[3:7] for row in rows if len(row) > 7 and " to " in row[4]]
    assert len(answers) == 8
    for *numbers, significant in answers:
        assert significant == ("no" if known[*numbers] == "not significant" else "yes"), numbers


def test_the_label_budget_shows_the_numbers_of_its_runs() -> None:
    text = PAGES["docs/label-budget.md"]
    file = ROOT / "docs" / "evidence" / "label-budget.json"
    rows = json.loads(file.read_text(encoding="utf-8"))
    compared = [row for row in rows if "verdict" in row]
    assert len(rows) == 53 and len(compared) == 42
    for row in rows:
        assert f"| {row['test_miou']:.4f} ± {row['test_miou_std']:.4f} |" in text
    for row in compared:
        shows(text, row["difference"], row["bootstrap"], row["verdict"])


def shows(text: str, difference: float, interval: tuple[float, float], verdict: str) -> None:
    """Check that a table has a difference with its verdict, and that any summary agrees."""
    low, high = interval
    lines = [line for line in text.splitlines() if f"| {low:+.4f} to {high:+.4f} " in line]
    assert all(f"| {difference:+.4f} " in line for line in lines)
    (table,) = [line for line in lines if f"| {verdict} " in line]
    for line in lines:
        answer = "no" if verdict == "not significant" else "yes"
        assert line == table or line.endswith(f"| {answer} |")
