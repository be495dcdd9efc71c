"""Download LandCover.ai (Boguszewski et al. 2020, arXiv:2005.02264; licence CC BY-NC-SA 4.0)."""

import errno
import lzma
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat
from pydantic.dataclasses import dataclass
from tqdm import tqdm

from partialseg.core.files import new_folder
from partialseg.core.params import STRICT
from partialseg.datasets.landcover_ai.fetch import fetch, has_md5, part_of
from partialseg.source.index import write_index
from partialseg.source.legend import LANDCOVER_AI

BLOCK = 1 << 20  # bytes a read
ENCRYPTED = 0x1  # bit of the general purpose flags (APPNOTE.TXT 4.4.4)
END_RECORD = b"PK\5\6"  # and the count of all members 10 bytes after it (APPNOTE.TXT 4.3.16)
END_RECORD_REACH = 22 + 0xFFFF  # bytes: the record itself and the longest comment behind it
ZIP64 = 0xFFFF  # in place of a count that stands elsewhere
# All that zipfile and its decompressors raise on damaged bytes; bz2 raises a plain OSError.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    OSError,
    ValueError,
)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip so that `folder` exists only when it is whole, by way of `<folder>.part`.

    Raises:
        ValueError: `folder` holds something, the archive or a member is damaged, or a member's
            name leaves the folder, collides with another or belongs to no plain file or folder.
        OSError: The disk has no room or refuses a member.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder}: must not exist or be an empty folder to unpack {archive}")
    with _open(archive) as zip_file:
        members = zip_file.infolist()
        _check_count(archive, members)
        _check_members(archive, members)
        with new_folder(folder) as part:  # made first: it clears what a killed run has left
            _check_space(archive, members, part)
            _extract(archive, zip_file, part)


def _open(archive: Path) -> zipfile.ZipFile:
    archive.stat()  # a missing archive is no damaged one: this raises OSError with its name
    try:
        return zipfile.ZipFile(archive)
    except DAMAGED as error:
        raise ValueError(f"{archive}: is no readable zip archive: {error}") from error


def _check_count(archive: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    # zipfile does not: a damaged length field makes it skip members without a word.
    with archive.open("rb") as stream:
        stream.seek(max(0, archive.stat().st_size - END_RECORD_REACH))
        tail = stream.read()
    (count,) = struct.unpack_from("<H", tail, tail.rfind(END_RECORD) + 10)
    if count not in (len(members), ZIP64):
        raise ValueError(f"{archive}: is damaged: lists {len(members)} of its {count} members")


def _check_members(archive: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    # orig_filename everywhere: zipfile mends `filename`, and what is checked must be what is used.
    files = {PurePosixPath(m.orig_filename) for m in members if not _is_folder(m)}
    seen: set[PurePosixPath] = set()
    for member in members:
        path = PurePosixPath(member.orig_filename)
        fault = _fault(member)
        if not fault and path in seen:
            fault = "is in it twice"
        elif not fault and not files.isdisjoint(path.parents):
            fault = "lies in a folder that is a file as well"
        if fault:
            raise ValueError(f"{archive}: member {member.orig_filename!r} {fault}")
        seen.add(path)


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return member.orig_filename.endswith("/")


def _fault(member: zipfile.ZipInfo) -> str | None:
    """Why this member must not be written, or None."""
    name = member.orig_filename
    path = PurePosixPath(name)
    kind = stat.S_IFMT(member.external_attr >> 16)  # Unix mode bits; 0 from other systems
    if "\\" in name or "\0" in name:
        return "has a backslash or a NUL in its name"
    if path.is_absolute() or PureWindowsPath(name).drive:
        return "has an absolute path"
    if ".." in path.parts:
        return "has '..' in its path"
    if not path.parts and not _is_folder(member):
        return "has no name"
    if _is_folder(member) and member.file_size:
        return "is a folder with bytes of its own"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a symbolic link or a device"
    if member.flag_bits & ENCRYPTED:
        return "is encrypted"
    return None


def _check_space(archive: Path, members: Sequence[zipfile.ZipInfo], part: Path) -> None:
    needed, free = sum(m.file_size for m in members), shutil.disk_usage(part).free
    if needed > free:
        largest = max(members, key=lambda m: m.file_size)
        reason = (
            f"{archive}: needs {needed} bytes unpacked, its member {largest.orig_filename!r} alone "
            f"{largest.file_size}, and {part.parent} has {free} free"
        )
        raise OSError(errno.ENOSPC, reason)


def _extract(archive: Path, zip_file: zipfile.ZipFile, part: Path) -> None:
    members = zip_file.infolist()
    total = sum(m.file_size for m in members)
    with tqdm(desc=archive.name, total=total, unit="B", unit_scale=True, mininterval=1.0) as bar:
        for member in members:
            try:
                for size in _write_member(archive, zip_file, member, part):
                    bar.update(size)
            except OSError as error:
                reason = f"{archive}: member {member.orig_filename!r} cannot be written"
                raise OSError(error.errno, f"{reason}: {error.strerror}") from error


def _write_member(
    archive: Path, zip_file: zipfile.ZipFile, member: zipfile.ZipInfo, part: Path
) -> Iterator[int]:
    """Write one member below `part`; yields the bytes written with each block."""
    target = part / member.orig_filename
    if _is_folder(member):
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as stream:  # x: two names may be one on a case-insensitive disk
        for block in _blocks(archive, zip_file, member):
            yield stream.write(block)


def _blocks(archive: Path, zip_file: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Read one member; damage becomes a ValueError here, so that an OSError is the disk's."""
    try:
        with zip_file.open(member) as stream:
            while block := stream.read(BLOCK):
                yield block
    except DAMAGED as error:
        raise ValueError(
            f"{archive}: member {member.orig_filename!r} is damaged: {error}"
        ) from error


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Download:
    """Where the archive comes from.

    urls are tried in turn: http(s)://, file:// or a path; md5 is that of the archive; archive is
    where it is kept, so that an interrupted transfer goes on; timeout is in seconds; disk is the
    space in GB (10^9 bytes) that must be free before the archive is fetched.
    """

    urls: Annotated[tuple[str, ...], Field(min_length=1)]
    md5: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    archive: str
    retries: NonNegativeInt
    timeout: PositiveFloat
    disk: NonNegativeFloat


def download(params: Download, out: Path) -> None:
    """Fetch, verify and unpack the archive into `out` and index it.

    Raises:
        ValueError: the archive is damaged or its content is not usable.
        OSError: the disk has too little space, or no mirror delivers the archive.
    """
    archive = Path(params.archive)
    if not has_md5(archive, params.md5):
        _check_disk(archive, params.disk)
        fetch(params.urls, params.md5, archive, retries=params.retries, timeout=params.timeout)
    with new_folder(out) as folder:
        unpack(archive, folder)
        write_index(folder, folder / "images", folder / "masks", LANDCOVER_AI)


def _check_disk(archive: Path, disk: float) -> None:
    """Check the space for all that the pipeline makes of the archive, not for the archive alone."""
    folder = next(parent for parent in archive.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free / 1e9
    part = part_of(archive)
    arrived = part.stat().st_size / 1e9 if part.exists() else 0.0
    if free + arrived < disk:
        reason = (
            f"{folder}: {free:.1f} GB are free, and archive, orthophotos, patches, labels and runs "
            f"with DVC's copies need {disk:g} GB (datasets.landcover_ai.download.disk: lower it if "
            "DVC's cache is on another disk)"
        )
        raise OSError(errno.ENOSPC, reason)
