"""GDAL's side file of a raster (PAM), which holds the names of classes."""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from partialseg.truth import Colour

# Columns of a raster attribute table: name, type (GDALRATFieldType) and use (GDALRATFieldUsage).
INTEGER, STRING = "0", "2"
COLUMNS = (
    ("Value", INTEGER, "5"),
    ("Class", STRING, "2"),
    ("Red", INTEGER, "6"),
    ("Green", INTEGER, "7"),
    ("Blue", INTEGER, "8"),
)


def pam_text(class_names: tuple[str, ...], palette: tuple[Colour, ...]) -> str:
    """Return the side file that names the classes 0, 1, ... of the first band.

    As categories, which gdalinfo shows, and as a raster attribute table, which QGIS prefers: its
    legend then lists these classes alone, not the 256 colours that every GeoTIFF palette has.
    """
    root = Element("PAMDataset")
    band = SubElement(root, "PAMRasterBand", band="1")
    categories = SubElement(band, "CategoryNames")
    for name in class_names:
        SubElement(categories, "Category").text = name
    table = SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for index, (name, kind, use) in enumerate(COLUMNS):
        field = SubElement(table, "FieldDefn", index=str(index))
        SubElement(field, "Name").text = name
        SubElement(field, "Type").text = kind
        SubElement(field, "Usage").text = use
    for index, (name, colour) in enumerate(zip(class_names, palette, strict=True)):
        row = SubElement(table, "Row", index=str(index))
        for value in (index, name, *colour):
            SubElement(row, "F").text = str(value)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"
