"""The page of the report in a real browser: order of rows, escaping, print, the dark."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from made_up_results import make_data, make_results, make_runs, make_store
from partialseg.comparison.cells import scored_cells
from partialseg.comparison.difference_table import difference_rows
from partialseg.comparison.significance import differences
from partialseg.figures.confusion import confusions_figure
from partialseg.figures.style import svg_text
from partialseg.report.page import Chart, Section, render_page, write_page
from partialseg.report.report import page_sections
from partialseg.report.tables import Table, number, over_seeds, spread, text

pytestmark = pytest.mark.slow

PHONE = {"width": 400, "height": 800}
PAPER = 688  # px of 182 mm: A4 less its margins
TABLE = Table(
    caption="made up",
    headings=["Name", "Score"],
    rows=[
        [text("run 10"), spread(0.9, 0.1)],
        [text("run 9"), number(None)],
        [text("Run 2"), number(-0.5)],
        [text("run 1"), spread(0.11, 0.2)],
        [text("run 3"), number(1.0e-7, "g")],
        [text("run 4"), over_seeds([0.11])],
    ],
    footer=[[text("all field"), number(0.05)]],
)


def make_sections(
    folder: Path, splits: Sequence[str], seeds: Sequence[int], compared: bool = True
) -> list[Section]:
    """Return the sections of made-up results; of one seed nothing has a spread."""
    store = make_store(folder / "patches")
    results = make_results(make_runs(splits, seeds), store)
    found = differences(scored_cells(results)) if compared else []
    data = make_data(
        results,
        dict.fromkeys(splits, store),
        difference_rows(found),
        parameters="a: <b>\n" * 30 + "long: " + "x" * 300 + "\n",
    )
    return page_sections(data)


def make_page(
    file: Path, splits: Sequence[str], seeds: Sequence[int], compared: bool = True
) -> Path:
    write_page("Report: sample", make_sections(file.parent, splits, seeds, compared), file)
    return file


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "one").mkdir()
    (folder / "two").mkdir()
    return {
        "one": make_page(folder / "one" / "page.html", ["main"], [42], compared=False),
        "two": make_page(folder / "two" / "page.html", ["main", "official"], [42, 1, 2]),
    }


def open_page(browser: Browser, html: str | Path, **options: Any) -> Page:
    page = browser.new_page(**options)
    if isinstance(html, Path):
        page.goto(html.as_uri())
    else:
        page.set_content(html)
    return page


def column(page: Page, place: int) -> list[str]:
    return page.evaluate(  # type: ignore[no-any-return]
        "place => [...document.querySelector('table').tBodies[0].rows]"
        ".map(row => row.cells[place].innerText.trim())",
        place,
    )


def made_up(*sections: Section) -> str:
    return render_page("made up", sections or [Section(anchor="a", title="A", tables=[TABLE])])


ASCENDING = ["−0.500", "1e−07", "0.110 ± 0.200", "0.110", "0.900 ± 0.100", "–"]
DESCENDING = ["0.900 ± 0.100", "0.110 ± 0.200", "0.110", "1e−07", "−0.500", "–"]


def test_rows_are_sorted_by_number_and_those_without_come_last(browser: Browser) -> None:
    page = open_page(browser, made_up())
    button = page.get_by_role("button", name="Score")
    button.click()
    assert column(page, 1) == ASCENDING
    button.click()
    assert column(page, 1) == DESCENDING
    button.click()
    assert column(page, 1) == ASCENDING
    page.close()


def test_the_keyboard_alone_sorts_too(browser: Browser) -> None:
    page = open_page(browser, made_up())
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Score":
            break
    page.keyboard.press("Space")
    assert column(page, 1) == ASCENDING
    assert page.evaluate("document.activeElement.textContent") == "Score"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    assert column(page, 1) == DESCENDING
    page.close()


def test_text_is_sorted_with_its_numbers_by_value(browser: Browser) -> None:
    page = open_page(browser, made_up())
    page.get_by_role("button", name="Name").click()
    assert column(page, 0) == ["run 1", "Run 2", "run 3", "run 4", "run 9", "run 10"]
    page.close()


def test_aria_sort_is_at_one_heading_and_the_footer_stays(browser: Browser) -> None:
    page = open_page(browser, made_up())
    sorts = (
        "[...document.querySelectorAll('th[scope=col]')].map(th => th.getAttribute('aria-sort'))"
    )
    assert page.evaluate(sorts) == [None, None]
    page.get_by_role("button", name="Score").click()
    assert page.evaluate(sorts) == [None, "ascending"]
    page.get_by_role("button", name="Name").click()
    assert page.evaluate(sorts) == ["ascending", None]
    page.get_by_role("button", name="Name").click()
    assert page.evaluate(sorts) == ["descending", None]
    assert page.locator("tfoot").inner_text().split("\t")[0] == "all field"
    assert page.locator("tbody tr").count() == 6
    page.close()


def test_markup_in_names_is_text(browser: Browser) -> None:
    bad = '<img src=x onerror=alert(1)>&"'
    table = Table(caption=bad, headings=[bad], rows=[[text(bad)]])
    section = Section(
        anchor="a", title=bad, paragraphs=[bad], facts=[(bad, bad)], tables=[table], code=bad
    )
    page = open_page(browser, made_up(section))
    assert page.locator("img").count() == 0
    assert page.locator("body").inner_text().count(bad) == 9  # the title in the contents, too
    page.close()


def test_a_chart_is_a_picture_with_a_text(browser: Browser) -> None:
    svg = svg_text(confusions_figure({"a": np.eye(2, dtype=np.int64)}, ["x", "y"]), "c")
    section = Section(
        anchor="a", title="A", charts=[Chart(svg=svg, alt='what "it" shows', caption="caption")]
    )
    page = open_page(browser, made_up(section))
    assert page.get_by_role("img", name='what "it" shows').locator("svg").count() == 1
    assert page.locator("figcaption").inner_text() == "caption"
    page.close()


@pytest.mark.parametrize("which", ["one", "two"])
def test_the_page_is_whole_and_fetches_nothing(
    browser: Browser, files: dict[str, Path], which: str
) -> None:
    page = browser.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url.split(":")[0]))
    page.goto(files[which].as_uri())
    assert said == []
    assert asked[0] == "file" and set(asked) <= {"file", "data"}
    links = page.locator("nav a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    sections = page.locator("main section").evaluate_all("all => all.map(s => '#' + s.id)")
    assert links == sections
    assert ("#leakage" in links) == (which == "two")
    assert ("#differences" in links) == (which == "two")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    widths = page.evaluate("[...document.images].map(i => i.naturalWidth)")
    assert widths == [96] * 32
    note = page.locator("#summary p").inner_text()
    assert ("One seed" in note) == (which == "one")
    assert ("±" in page.locator("#scores table").inner_text()) == (which == "two")
    assert files[which].stat().st_size < 2**20
    page.close()


@pytest.mark.parametrize("which", ["one", "two"])
@pytest.mark.parametrize("width", [320, 400, 700, 1200])
def test_only_boxes_scroll_sideways(
    browser: Browser, files: dict[str, Path], which: str, width: int
) -> None:
    page = open_page(browser, files[which], viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    cut = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, p, dd, figcaption, .scroll, pre, img')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML)"
    )
    assert cut == []
    page.close()


@pytest.mark.parametrize("which", ["one", "two"])
def test_the_test_miou_is_in_sight_of_a_phone_and_sorts_there(
    browser: Browser, files: dict[str, Path], which: str
) -> None:
    page = open_page(browser, files[which], viewport=PHONE)
    table = page.locator("#scores table")
    heading = table.locator("thead th").nth(1)
    assert heading.inner_text().split() == ["Test", "mIoU"]
    cells = table.locator("tbody td:nth-child(2)")
    boxes = [place.bounding_box() for place in (heading, *cells.all())]
    assert len(boxes) == (9 if which == "one" else 17)
    assert all(box and box["x"] + box["width"] <= PHONE["width"] for box in boxes)
    before = cells.all_inner_texts()
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    after = cells.all_inner_texts()
    assert before != after == sorted(before, key=lambda shown: float(shown.split()[0]))
    page.close()


WIDE = Table(
    caption="wide",
    headings=["Name", *(f"Score {place}" for place in range(20))],
    rows=[[text(name), *[number(0.5)] * 20] for name in ("x" * 60, "UNet++ 10 %, reproduction")],
    footer=[[text("all field"), *[number(0.25)] * 20]],
)


@pytest.mark.parametrize(("width", "left"), [(400, 16), (1200, 100)])
def test_what_names_a_row_stays_in_sight_beside_the_rest(
    browser: Browser, width: int, left: int
) -> None:
    html = made_up(Section(anchor="a", title="A", tables=[WIDE]))
    page = open_page(browser, html, viewport={"width": width, "height": 800})
    page.evaluate("document.querySelector('.scroll').scrollLeft = 1e6")
    names = page.evaluate(
        """[...document.querySelector('table').rows].map(row => {
            const name = row.cells[0], box = name.getBoundingClientRect();
            let covered = 0;
            for (let x = box.left + 1; x < box.right - 1; x += 2)
                for (let y = box.top + 1; y < box.bottom - 1; y += 2)
                    covered += !name.contains(document.elementFromPoint(x, y));
            return [box.left, covered, name.scrollWidth <= name.clientWidth];
        })"""
    )
    assert names == [[left, 0, True]] * 4
    name, last = (page.locator("th").nth(place).bounding_box() for place in (21, 20))
    assert name and (name["width"] == 144 if width == 400 else name["width"] > 400)  # 9rem
    assert last and last["x"] + last["width"] <= width
    page.close()


def test_the_focus_on_a_phone_is_beside_the_names_of_the_rows(browser: Browser) -> None:
    html = made_up(Section(anchor="a", title="A", tables=[WIDE]))
    page = open_page(browser, html, viewport=PHONE)
    page.locator("thead button").last.focus()
    for place in reversed(range(19)):
        page.keyboard.press("Shift+Tab")
        focused = page.evaluate(
            """() => {
                const name = document.querySelector('thead th').getBoundingClientRect();
                const button = document.activeElement;
                return [button.textContent, button.getBoundingClientRect().left >= name.right];
            }"""
        )
        assert focused == [f"Score {place}", True]
    page.close()


def test_on_paper_nothing_is_cut(browser: Browser, files: dict[str, Path]) -> None:
    page = open_page(browser, files["two"], viewport={"width": PAPER, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") == PAPER
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("nav").is_hidden()
    arrow = "getComputedStyle(document.querySelector('thead button'), '::after').display"
    assert page.evaluate(arrow) == "none"
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True)))
    assert 8 <= pages <= 20
    page.close()


def test_on_paper_what_stands_above_something_stays_with_it(
    browser: Browser, files: dict[str, Path]
) -> None:
    page = open_page(browser, files["two"])
    page.emulate_media(media="print")

    def styles(key: str, *names: str) -> set[str]:
        script = "([key, name]) => getComputedStyle(document.querySelector(name))[key]"
        return {page.evaluate(script, [key, name]) for name in names}

    intro = "#leakage > p"
    assert styles("breakAfter", "h2", "h3", "thead", ".legend", intro) == {"avoid"}
    assert styles("breakInside", "figure", "tr", ".table", ".pictures", intro) == {"avoid"}
    page.close()


def test_text_has_contrast_in_the_light_and_in_the_dark(
    browser: Browser, files: dict[str, Path]
) -> None:
    """At least 4.5 : 1 (WCAG 2.2, 1.4.3), of quiet text and links too."""

    def luminance(colour: str) -> float:
        red, green, blue = (int(value) / 255 for value in re.findall(r"\d+", colour)[:3])
        linear = [
            v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (red, green, blue)
        ]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    backgrounds = []
    for scheme in ("light", "dark"):
        page = open_page(browser, files["one"], color_scheme=scheme)
        colour = "e => getComputedStyle(document.querySelector(e)).color"
        ground = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        for element in ("p", "dt", "h3", "figcaption", "a"):
            ink = luminance(page.evaluate(colour, element))
            low, high = sorted((ground, ink))
            assert (high + 0.05) / (low + 0.05) > 4.5, (scheme, element)
        assert (
            page.evaluate("getComputedStyle(document.querySelector('.chart')).backgroundColor")
            == "rgb(255, 255, 255)"
        )
        backgrounds.append(ground)
        page.close()
    assert backgrounds[0] == 1 and backgrounds[1] < 0.02


def test_without_script_it_is_a_plain_page(browser: Browser, files: dict[str, Path]) -> None:
    page = open_page(browser, files["two"], java_script_enabled=False)
    assert page.locator("table").count() >= 10
    assert page.locator("button").count() == 0
    assert page.locator("#scores tbody tr").count() == 16
    page.close()


def test_equal_results_give_equal_pages(tmp_path: Path) -> None:
    pages = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pages.append(make_page(tmp_path / name / "page.html", ["main"], [42]).read_bytes())
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("seeds", "budget", "intervals"),
    [
        (
            [42],
            "Test mIoU over the label budget; the dashed line",
            "Thick lines: bootstrap over test orthophotos; thin lines: jackknife.",
        ),
        (
            [42, 1],
            "Test mIoU over the label budget; bars are the standard deviation over the seeds, the",
            "Thick lines: bootstrap over test orthophotos and seeds; thin lines: jackknife.",
        ),
    ],
    ids=["one", "two"],
)
def test_captions_name_seeds_only_where_there_are_several(
    tmp_path: Path, seeds: list[int], budget: str, intervals: str
) -> None:
    sections = {section.anchor: section for section in make_sections(tmp_path, ["main"], seeds)}
    captions = [sections[anchor].charts[0].caption for anchor in ("scores", "differences")]
    assert captions[0].startswith(budget)
    assert captions[1].startswith(intervals)
