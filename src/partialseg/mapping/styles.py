"""How QGIS shows the maps: style files beside rasters, and a style inside a GeoPackage.

QGIS takes `<name>.qml` beside `<name>.tif` by itself, and the style of a layer that the table
layer_styles of its GeoPackage has. Without them it lists 256 colours of a class map, shows the
probabilities of the first three classes as red, green and blue, and polygons in one random colour.
The XML has what QGIS 3.22 writes itself and needs to read it again.
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from partialseg.core.classes import Colour

# The colour map viridis of matplotlib at 0, 0.2 ... 1: as light as the value is high.
VIRIDIS = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725")
HEAD = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
OUTLINE = "35,35,35,160"


def class_style(class_names: Sequence[str], palette: Sequence[Colour]) -> str:
    """Return the style of a class map: its classes alone, with names and colours."""
    renderer = _raster_renderer("paletted")
    colours = SubElement(renderer, "colorPalette")
    for value, (name, colour) in enumerate(zip(class_names, palette, strict=True)):
        text = "#{:02x}{:02x}{:02x}".format(*colour)
        SubElement(colours, "paletteEntry", value=str(value), color=text, label=name, alpha="255")
    return _document(_pipe(renderer))


def share_style() -> str:
    """Return the style of the first band of shares in 0..1: light is high, labels in percent."""
    renderer = _raster_renderer("singlebandpseudocolor")
    shader = SubElement(
        SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="0",
        minimumValue="0",
        maximumValue="1",
    )
    last = len(VIRIDIS) - 1
    for number, colour in enumerate(VIRIDIS):
        SubElement(
            shader,
            "item",
            value=f"{number / last:g}",
            color=colour,
            label=f"{number / last:.0%}".replace("%", " %"),
            alpha="255",
        )
    SubElement(shader, "rampLegendSettings", useContinuousLegend="0")
    return _document(_pipe(renderer))


def polygon_style(attribute: str, class_names: Sequence[str], palette: Sequence[Colour]) -> str:
    """Return the style of polygons whose attribute is the name of their class."""
    renderer = Element("renderer-v2", type="categorizedSymbol", attr=attribute, symbollevels="0")
    categories = SubElement(renderer, "categories")
    symbols = SubElement(renderer, "symbols")
    for number, (name, colour) in enumerate(zip(class_names, palette, strict=True)):
        SubElement(
            categories, "category", value=name, label=name, symbol=str(number), render="true"
        )
        symbol = SubElement(symbols, "symbol", name=str(number), type="fill", alpha="1")
        layer = SubElement(symbol, "layer", {"class": "SimpleFill"}, enabled="1", locked="0")
        options = SubElement(layer, "Option", type="Map")
        fill = ",".join(map(str, (*colour, 255)))
        for key, value in (
            ("color", fill),
            ("style", "solid"),
            ("outline_color", OUTLINE),
            ("outline_style", "solid"),
            ("outline_width", "0.1"),
            ("outline_width_unit", "MM"),
        ):
            SubElement(options, "Option", name=key, value=value, type="QString")
    return _document(renderer)


def _raster_renderer(kind: str) -> Element:
    return Element("rasterrenderer", type=kind, band="1", opacity="1", alphaBand="-1")


def _pipe(renderer: Element) -> Element:
    pipe = Element("pipe")
    pipe.append(renderer)
    return pipe


def _document(content: Element) -> str:
    root = Element("qgis", version="3.22.0", styleCategories="Symbology")
    root.append(content)
    indent(root)
    return HEAD + tostring(root, encoding="unicode") + "\n"
