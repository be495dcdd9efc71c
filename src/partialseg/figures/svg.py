"""A figure as SVG for an HTML page: small, with text as text, without names that could clash."""

import re
from io import StringIO

import matplotlib
from matplotlib.figure import Figure

# matplotlib names its own fonts, which no reader has; without a name the page's is taken.
_FONT = re.compile(r" font-family: [^;\"]*;?")
_ID = re.compile(r' id="([^"]+)"')
_REFERENCE = re.compile(r'(?<=url\(#)[^)]+(?=\))|(?<=href="#)[^"]+(?=")')


def svg_text(figure: Figure, name: str) -> str:
    """Return a figure as an <svg> element to put into HTML; equal figures give equal text.

    name is a word that no other figure of the page has: the ids in the element begin with it.
    """
    stream = StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(
            stream,
            format="svg",
            facecolor="none",
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = _FONT.sub("", text)
    return _with_own_ids(text, name).rstrip()


def _with_own_ids(text: str, name: str) -> str:
    """Leave the ids that something refers to, and let them begin with a name."""
    used = set(_REFERENCE.findall(text))
    text = _REFERENCE.sub(lambda found: f"{name}-{found[0]}", text)
    return _ID.sub(lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", text)
