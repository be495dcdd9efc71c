"""Which way up a file is to be shown: the orientation that TIFF, or EXIF in other files, states."""

import io
import struct
from pathlib import Path
from typing import BinaryIO

from PIL.JpegImagePlugin import JpegImageFile
from rasterio.io import DatasetReader

TAG = 0x0112
UPRIGHT = 1  # 2..8 are the other turns and mirror images; 0 and other values mean nothing
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter two are BigTIFF
PNG = b"\x89PNG\r\n\x1a\n"
BIG = 43  # the version of BigTIFF
EXIF_START = b"Exif\0\0"


def check_upright(raster: DatasetReader) -> None:
    """Check that a raster, and all files it takes pixels from, are stored as they are to be shown.

    GDAL and GIS programs show the pixels as they are stored, image viewers and most labelling tools
    turn them. Nobody can tell what a mask was drawn on, so neither reading is taken.

    Raises:
        ValueError: a file is to be turned or mirrored.
    """
    for file in map(Path, raster.files):
        orientation = orientation_of(file) if file.is_file() else UPRIGHT
        if orientation != UPRIGHT:
            raise ValueError(
                f"{file}: its EXIF or TIFF orientation is {orientation}: image viewers turn it, "
                "GIS programs do not; turn its pixels (mogrify -auto-orient FILE), or remove the "
                "tag if image and mask fit without (exiftool -Orientation= FILE)"
            )


def orientation_of(file: Path) -> int:
    """Return the orientation 1..8 that a file states, 1 if it states none.

    Source: TIFF 6.0, tag 274; Exif 2.32, tag 274 of the 0th IFD.
    """
    with file.open("rb") as stream:
        start = stream.read(12)
        stream.seek(0)
        try:
            if start.startswith(TIFF):
                found = _of_tiff(stream)
            elif exif := _exif(start, stream):
                found = _of_tiff(io.BytesIO(exif.removeprefix(EXIF_START)))
            else:
                return UPRIGHT
        except (struct.error, SyntaxError, OSError, ValueError):  # damaged: no orientation either
            return UPRIGHT
    return found if found in range(1, 9) else UPRIGHT


def _exif(start: bytes, stream: BinaryIO) -> bytes:
    if start.startswith(b"\xff\xd8"):
        return JpegImageFile(stream).info.get("exif", b"")
    if start.startswith(PNG):
        return _exif_of_png(stream)
    if start.startswith(b"RIFF") and start.endswith(b"WEBP"):
        return _exif_of_webp(stream)
    return b""


# Pillow finds a chunk behind the pixels of a PNG only after it has decoded these, and does not open
# a large WebP.
def _exif_of_png(stream: BinaryIO) -> bytes:
    stream.seek(len(PNG))
    while len(head := stream.read(8)) == 8:
        length, kind = struct.unpack(">L4s", head)
        if kind == b"eXIf":
            return stream.read(length)
        stream.seek(length + 4, io.SEEK_CUR)  # and a checksum
    return b""


def _exif_of_webp(stream: BinaryIO) -> bytes:
    stream.seek(12)
    while len(head := stream.read(8)) == 8:
        kind, length = struct.unpack("<4sL", head)
        if kind == b"EXIF":
            return stream.read(length)
        stream.seek(length + length % 2, io.SEEK_CUR)
    return b""


def _of_tiff(stream: BinaryIO) -> int:
    start = stream.read(8)
    order = "<" if start.startswith(b"II") else ">"
    is_big = struct.unpack(f"{order}H", start[2:4])[0] == BIG
    offset = stream.read(8) if is_big else start[4:]
    stream.seek(struct.unpack(order + ("Q" if is_big else "L"), offset)[0])
    (count,) = struct.unpack(order + ("Q" if is_big else "H"), stream.read(8 if is_big else 2))
    size, value = (20, 12) if is_big else (12, 8)  # of an entry, and where its value begins
    entries = stream.read(count * size)
    for entry in range(0, len(entries), size):
        if struct.unpack_from(f"{order}H", entries, entry)[0] == TAG:
            return struct.unpack_from(f"{order}H", entries, entry + value)[0]
    return UPRIGHT
