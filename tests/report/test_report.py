"""The report: made from made-up results of 32 runs by the command, read in a real browser."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, Page

from code_of_stage import SRC
from made_up_results import make_results, make_runs, make_store
from partialseg.comparison.cells import scored_cells
from partialseg.comparison.difference_table import write_differences
from partialseg.comparison.significance import differences
from partialseg.comparison.table import table_rows, write_table
from partialseg.engine.curves import CurveWriter
from partialseg.evaluation.results import write_results
from partialseg.evaluation.runs import run_files
from small_run import record

pytestmark = pytest.mark.slow

SPLITS, SEEDS = ("main", "official"), (42, 1)
RUNS = make_runs(SPLITS, SEEDS)
SCORES = "table:has(th:has-text('Final val'))"
MD5 = "0123456789abcdef0123456789abcdef"
ARGUMENTS = [
    *("--dataset", "sample", "--fractions", "0.1", "0.15", "--headline", "0.1"),
    *("--data", "data/sample", "--runs", "runs", "--metrics", "metrics"),
    *("--comparison", "plots", "--transfers", "transfers", "--out", "plots/report.html"),
]


def write_lock(folder: Path) -> None:
    paths = ["data/sample/source"]
    for split in SPLITS:
        paths += [f"data/sample/{split}/patches"]
        paths += [
            f"data/sample/{split}/labels/random-{f}-{s}" for f in ("0.1", "0.15") for s in SEEDS
        ]
    paths += [f"runs/{run.path}/best.pt" for run in RUNS]
    outs = [{"path": path, "md5": MD5, "size": 2**20, "nfiles": 3} for path in paths]
    lock = {"schema": "2.0", "stages": {"train": {"cmd": "python", "outs": outs}}}
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))


def run_report(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SRC / "report.py", *ARGUMENTS]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a report, and with all that it was made from."""
    folder = tmp_path_factory.mktemp("report")
    for split in SPLITS:
        (folder / "data" / "sample" / split).mkdir(parents=True)
        store = make_store(folder / "data" / "sample" / split / "patches")
    results = make_results(RUNS, store)
    for item in results:
        write_results(run_files(folder / "runs", folder / "metrics", item.run), item)
        with CurveWriter(folder / "runs" / item.run.path / "curves") as curves:
            for epoch in (1, 2):
                curves.append(record(epoch))
    (folder / "plots").mkdir()
    write_table(table_rows("sample", results), ("background", 0.2), folder / "plots")
    write_differences(differences(scored_cells(results)), folder / "plots")
    params = yaml.safe_load((SRC.parent / "params.yaml").read_text())
    axes = {"seeds": list(SEEDS), "splits": list(SPLITS)}
    (folder / "params.yaml").write_text(yaml.safe_dump(params | axes))
    write_lock(folder)
    done = run_report(folder)
    assert done.returncode == 0, done.stderr
    return folder


def open_report(browser: Browser, folder: Path, width: int = 1200, **options: Any) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900}, **options)
    page.goto((folder / "plots" / "report.html").as_uri())
    return page


def test_nothing_fails_and_nothing_is_fetched(browser: Browser, folder: Path) -> None:
    page = browser.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / "plots" / "report.html").as_uri())
    assert said == []
    assert len(asked) >= 1
    assert all(re.match(r"(file|data):", url) for url in asked)
    page.close()


def test_every_picture_loads_and_has_a_text(browser: Browser, folder: Path) -> None:
    page = open_report(browser, folder)
    pictures = page.evaluate(
        "[...document.images].map(picture => [picture.naturalWidth, picture.alt])"
    )
    assert len(pictures) >= 4 * 8  # image, truth, prediction, errors of best and worst of 4 classes
    assert all(width == 96 and alt for width, alt in pictures)
    charts = page.evaluate(
        "[...document.querySelectorAll('figure svg')].map(svg => svg.getBoundingClientRect().width)"
    )
    assert len(charts) >= 6
    assert all(width > 300 for width in charts)
    page.close()


@pytest.mark.parametrize("width", [400, 800, 1200])
def test_the_page_never_scrolls_sideways(browser: Browser, folder: Path, width: int) -> None:
    page = open_report(browser, folder, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def column(page: Page, heading: str) -> list[str]:
    """Return the texts of a column of the table of scores."""
    return page.locator(SCORES).first.evaluate(  # type: ignore[no-any-return]
        """(table, heading) => {
            const place = [...table.tHead.rows[0].cells].findIndex(
                cell => cell.innerText.includes(heading));
            return [...table.tBodies[0].rows].map(row => row.cells[place].innerText.trim());
        }""",
        heading,
    )


@pytest.mark.parametrize("by", ["click", "keyboard"])
def test_a_heading_sorts_its_table_by_number(browser: Browser, folder: Path, by: str) -> None:
    page = open_report(browser, folder)
    before = column(page, "Test accuracy")
    heading = page.locator(f"{SCORES} thead th", has_text="Test accuracy").first
    button = heading.locator("button")
    target = button if button.count() else heading

    def sort() -> None:
        if by == "click":
            target.click()
        else:
            target.focus()
            page.keyboard.press("Enter")

    sort()
    once = column(page, "Test accuracy")
    first_order = heading.get_attribute("aria-sort")
    sort()
    twice = column(page, "Test accuracy")
    numbers = [[float(value.split()[0]) for value in values] for values in (before, once, twice)]
    assert len(numbers[0]) == 16 and len(set(numbers[0])) > 8
    assert {tuple(numbers[1]), tuple(numbers[2])} == {
        tuple(sorted(numbers[0])),
        tuple(sorted(numbers[0], reverse=True)),
    }
    assert {first_order, heading.get_attribute("aria-sort")} == {"ascending", "descending"}
    page.close()


def test_it_prints_and_reads_without_script(browser: Browser, folder: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "plots" / "report.html").as_uri())
    assert "Provenance" in page.locator("body").inner_text()
    pdf = page.pdf(format="A4")
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert 5 <= pages <= 60
    context.close()


def test_it_shows_the_numbers_of_its_sources(folder: Path) -> None:
    text = (folder / "plots" / "report.html").read_text()
    rows = json.loads((folder / "plots" / "table.json").read_text())
    for row in rows:
        assert f"{row['test_miou']:.3f} ± {row['test_miou_std']:.3f}" in text
    found = json.loads((folder / "plots" / "differences.json").read_text())
    assert {row["axis"] for row in found} == {"split", "fraction", "architecture", "recipe"}
    assert all(
        row["compared"].replace("+", "&#43;") in text or row["compared"] in text for row in found
    )
    assert text.count(MD5) >= len(RUNS)
    assert "1b3c2c5f0a" in text and "official" in text
    assert len(text) < 2**20


def test_equal_inputs_give_equal_bytes(folder: Path) -> None:
    before = (folder / "plots" / "report.html").read_bytes()
    assert run_report(folder).returncode == 0
    assert (folder / "plots" / "report.html").read_bytes() == before


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("plots/table.json", "{}", "plots/table.json: missing or damaged table: no list of rows"),
        ("plots/differences.json", "[{}]", "plots/differences.json: missing or damaged table: row"),
        ("plots/table.json", None, "plots/table.json: missing or damaged table: "),
        ("dvc.lock", "stages: {}", "dvc.lock"),
        (f"metrics/detail/{RUNS[3].path}.json", "[]", f"{RUNS[3].path}.json: missing or damaged"),
    ],
)
def test_a_bad_source_is_named_in_one_line(
    folder: Path, file: str, content: str | None, message: str
) -> None:
    page, before = folder / "plots" / "report.html", (folder / file).read_bytes()
    old = page.read_bytes()
    try:
        (folder / file).unlink() if content is None else (folder / file).write_text(content)
        done = run_report(folder)
    finally:
        (folder / file).write_bytes(before)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and message in done.stderr
    assert done.stderr.count("\n") == 1
    assert page.read_bytes() == old
