"""All class maps of a folder as one: a VRT with its style for QGIS, and a table of their areas."""

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np
import shapely
from affine import Affine

from partialseg.core.classes import Colour
from partialseg.core.files import new_file
from partialseg.mapping.areas import ClassArea, MapAreas, class_areas
from partialseg.mapping.class_map import NAMES_TAG, NODATA, read_classes
from partialseg.mapping.cog import BLOCK
from partialseg.mapping.frame import Frame, frame_of
from partialseg.mapping.rasters import CLASSES
from partialseg.mapping.styles import class_style
from partialseg.source.raster import open_raster

# No maps of an image have these names: they are called <name of the image>_<ending>.
MOSAIC, STYLE, AREAS = "classes.vrt", "classes.qml", "areas.csv"
BESIDE = (".ovr", ".aux.xml")  # overviews and statistics, which others make of a mosaic
ALL = "(all)"  # in place of an image in the table
DECIMALS = 6  # of pixels: a grid that is nearer to that of the mosaic is the same


@dataclass(frozen=True, kw_only=True)
class Part:
    """A class map in a mosaic: where it lies, the names of its classes and their colours."""

    file: Path
    frame: Frame
    class_names: tuple[str, ...]
    palette: tuple[Colour, ...]


def read_part(out: Path, image: Path) -> Part:
    """Read the header of an image's class map.

    Raises:
        ValueError: it is missing or no class map.
    """
    file = map_of(out, image)
    with open_raster(file) as raster:
        names, palette = read_classes(raster)
        return Part(file=file, frame=frame_of(raster), class_names=names, palette=palette)


def check_places(places: Mapping[Path, Frame]) -> None:
    """Check that images, or maps, can lie in one raster without being resampled.

    Raises:
        ValueError: one has another CRS than the first, no georeference, or is turned.
    """
    first = next(iter(places), None)
    for file, frame in places.items():
        a, b, _, d, e, _ = tuple(frame.transform)[:6]
        if frame.transform == Affine.identity():
            raise ValueError(f"{file}: has no georeference, so it has no place in a mosaic")
        if b or d or a <= 0 or e >= 0:
            raise ValueError(f"{file}: is turned or mirrored, which a mosaic cannot hold")
        if first is not None and frame.crs != places[first].crs:
            crs, other = frame.crs_text or "no CRS", places[first].crs_text or "no CRS"
            raise ValueError(
                f"{file}: {crs}, but {first}: {other}; a mosaic has one CRS, so map them into "
                "folders of their own"
            )


def check_classes(parts: Sequence[Part], class_names: tuple[str, ...]) -> None:
    """Check that class maps have these classes.

    Raises:
        ValueError: one has others.
    """
    for part in parts:
        if part.class_names != class_names:
            found, others = ", ".join(part.class_names), ", ".join(class_names)
            raise ValueError(
                f"{part.file}: has the classes {found}, and others of the mosaic {others}"
            )


def check_mosaic(
    places: Mapping[Path, Frame], out: Path, mapped: Sequence[Path], class_names: tuple[str, ...]
) -> None:
    """Check, before hours of prediction, that images and maps that are there give a mosaic.

    places are where the images lie that are yet to be predicted; mapped are those with maps.

    Raises:
        ValueError: they have different CRS or classes, or one has no place in a mosaic.
    """
    parts = [read_part(out, image) for image in mapped]
    check_classes(parts, class_names)
    check_places({**places, **{part.file: part.frame for part in parts}})


def measured(out: Path, images: Sequence[Path]) -> tuple[dict[Path, MapAreas], dict[Path, str]]:
    """Return the areas of the class maps of images, and why those of others cannot be measured."""
    areas: dict[Path, MapAreas] = {}
    failed: dict[Path, str] = {}
    for image in images:
        try:
            areas[image] = measure(map_of(out, image))
        except ValueError as error:
            failed[image] = str(error)
    return areas, failed


def measure(class_map: Path) -> MapAreas:
    """Return the areas of a class map, for a mosaic.

    Raises:
        ValueError: it is missing, damaged or no class map.
    """
    try:
        return class_areas(class_map)
    except ValueError as error:
        # Its header is whole, so --skip-existing would take it for a map for ever.
        raise ValueError(f"{error}; delete {class_map}, so that it is made again") from error


def map_of(out: Path, image: Path) -> Path:
    """Return the class map of an image."""
    return out / f"{image.stem}_{CLASSES}"


def write_mosaic(out: Path, areas: Mapping[Path, MapAreas]) -> list[Path]:
    """Write the mosaic of the class maps of images, whose areas are given; return its files.

    Where maps overlap, the later one is seen. The mosaic has the smallest of their pixels; nothing
    is resampled but by taking the nearest pixel.

    Raises:
        ValueError: maps have different CRS or classes, or one is missing.
        OSError: the mosaic cannot be written.
    """
    parts = [read_part(out, image) for image in areas]
    check_places({part.file: part.frame for part in parts})
    check_classes(parts, parts[0].class_names)
    files = [out / name for name in (AREAS, STYLE, MOSAIC)]
    with new_file(files[0]) as file:
        _write_table(file, areas)
    with new_file(files[1]) as file:
        style = class_style(parts[0].class_names, parts[0].palette)
        file.write_text(style, encoding="utf-8")
    for ending in BESIDE:
        files[2].with_name(MOSAIC + ending).unlink(missing_ok=True)
    with new_file(files[2]) as file:
        file.write_text(_vrt(parts), encoding="utf-8")
    shared = overlaps([part.frame for part in parts])
    if shared:
        print(
            f"{files[0]}: {shared} pair(s) of maps overlap: the ground that they share is counted "
            "in each of them"
        )
    return files


def overlaps(frames: Sequence[Frame]) -> int:
    """Return how many pairs of rasters share more than half of a pixel's side of ground."""
    boxes = []
    for frame in frames:
        left, top, right, bottom = _bounds(frame)
        less = min(frame.transform.a, -frame.transform.e) / 4
        boxes.append((left + less, bottom + less, right - less, top - less))
    areas = shapely.box(*np.array(boxes).T)
    pairs = shapely.STRtree(areas).query(areas, predicate="intersects")
    return int((pairs[0] < pairs[1]).sum())


def _bounds(frame: Frame) -> tuple[float, float, float, float]:
    left, top = frame.transform @ (0, 0)
    right, bottom = frame.transform @ (frame.width, frame.height)
    return left, top, right, bottom


def _write_table(file: Path, areas: Mapping[Path, MapAreas]) -> None:
    names = ["image", *ClassArea.__dataclass_fields__]
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.DictWriter(stream, names, lineterminator="\n")
        rows.writeheader()
        for image, found in areas.items():
            rows.writerows(_rows(image.name, found))
        rows.writerows(_rows(ALL, total_of(list(areas.values()))))


def _rows(image: str, areas: MapAreas) -> Iterator[dict[str, object]]:
    for area in areas.classes:
        yield {"image": image, **asdict(area)}
    nodata = {"class_id": NODATA, "class_name": "nodata", "pixels": areas.nodata_pixels}
    yield {"image": image, **nodata}


def total_of(areas: Sequence[MapAreas]) -> MapAreas:
    """Return the sums over maps of the same classes; m2 is None where a map has none.

    Shares are those of the ground: pixels may have different sizes. Without m2 those of the pixels.
    """
    is_known = all(area.area_m2 is not None for item in areas for area in item.classes)
    of_classes = [*zip(*(item.classes for item in areas), strict=True)]
    pixels = [sum(area.pixels for area in items) for items in of_classes]
    ground = [math.fsum(area.area_m2 or 0 for area in items) for items in of_classes]
    sizes = ground if is_known else pixels
    whole = math.fsum(sizes) or 1
    classes = [
        ClassArea(
            class_id=items[0].class_id,
            class_name=items[0].class_name,
            pixels=pixels[index],
            area_m2=ground[index] if is_known else None,
            share=sizes[index] / whole,
        )
        for index, items in enumerate(of_classes)
    ]
    nodata = sum(item.nodata_pixels for item in areas)
    return MapAreas(classes=tuple(classes), nodata_pixels=nodata)


def _vrt(parts: Sequence[Part]) -> str:
    """Return the XML of a raster of references to the maps, which lie in the same folder."""
    frames = [part.frame for part in parts]
    across = min(frame.transform.a for frame in frames)
    down = min(-frame.transform.e for frame in frames)
    bounds = np.array([_bounds(frame) for frame in frames])
    left, top = bounds[:, 0].min(), bounds[:, 1].max()

    def place(x: float, y: float) -> tuple[float, float]:
        return round((x - left) / across, DECIMALS), round((top - y) / down, DECIMALS)

    width, height = map(math.ceil, place(bounds[:, 2].max(), bounds[:, 3].min()))
    root = Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
    if frames[0].crs:
        SubElement(root, "SRS").text = frames[0].crs.to_wkt()
    numbers = (left, across, 0, top, 0, -down)
    SubElement(root, "GeoTransform").text = ", ".join(f"{number:.16g}" for number in numbers)
    names = parts[0].class_names
    metadata = SubElement(root, "Metadata")
    text = json.dumps(names, ensure_ascii=False)
    SubElement(metadata, "MDI", key=NAMES_TAG).text = text
    band = SubElement(root, "VRTRasterBand", dataType="Byte", band="1")
    SubElement(band, "Description").text = "class"
    SubElement(band, "NoDataValue").text = str(NODATA)
    SubElement(band, "ColorInterp").text = "Palette"
    _add_classes(band, names, parts[0].palette)
    for part, (x, y, right, bottom) in zip(parts, bounds, strict=True):
        first, last = place(x, y), place(right, bottom)
        _add_source(band, part, first, (last[0] - first[0], last[1] - first[1]))
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _add_classes(band: Element, names: Sequence[str], palette: Sequence[Colour]) -> None:
    categories = SubElement(band, "CategoryNames")
    for name in names:
        SubElement(categories, "Category").text = name
    table = SubElement(band, "ColorTable")
    for red, green, blue in palette:
        SubElement(table, "Entry", c1=str(red), c2=str(green), c3=str(blue), c4="255")


def _add_source(
    band: Element, part: Part, first: tuple[float, float], size: tuple[float, float]
) -> None:
    # A source that leaves its nodata out, so that it does not hide a map below it.
    source = SubElement(band, "ComplexSource", resampling="nearest")
    SubElement(source, "SourceFilename", relativeToVRT="1").text = part.file.name
    SubElement(source, "SourceBand").text = "1"
    width, height, block = str(part.frame.width), str(part.frame.height), str(BLOCK)
    SubElement(  # so that GDAL need not open all maps before it shows one
        source,
        "SourceProperties",
        RasterXSize=width,
        RasterYSize=height,
        DataType="Byte",
        BlockXSize=block,
        BlockYSize=block,
    )
    SubElement(source, "SrcRect", xOff="0", yOff="0", xSize=width, ySize=height)
    x, y, across, down = (f"{number:.16g}" for number in (*first, *size))
    SubElement(source, "DstRect", xOff=x, yOff=y, xSize=across, ySize=down)
    SubElement(source, "NODATA").text = str(NODATA)
