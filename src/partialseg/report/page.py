"""The page: sections of text, charts, tables and pictures, rendered into one HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from partialseg.core.files import new_file
from partialseg.report.examples import Example
from partialseg.report.tables import Table


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart: its SVG, what it shows in words for those who cannot see it, and its caption.

    The SVG is put into the page as it is: it must come from svg_text().
    """

    svg: str
    alt: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page under a title; anchor is a word of its own, to link to.

    What it holds is shown in the order of the fields; code is shown as it is.
    """

    anchor: str
    title: str
    paragraphs: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    examples: Sequence[Example] = ()
    legend: Sequence[tuple[str, str]] = ()  # names and CSS colours of the examples
    code: str = ""


def render_page(title: str, sections: Sequence[Section]) -> str:
    """Return the HTML of a page, which needs no other file and no network."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.get_template("page.html.jinja")
    return template.render(title=title, sections=sections)


def write_page(title: str, sections: Sequence[Section], file: Path) -> None:
    """Write a page as a whole file.

    Raises:
        OSError: it cannot be written.
    """
    with new_file(file) as part:
        part.write_text(render_page(title, sections), encoding="utf-8")
