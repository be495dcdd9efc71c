"""unpack(): whole or not at all, and nothing outside the folder."""

import errno
import io
import os
import shutil
import stat
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tqdm import tqdm

from partialseg.datasets.landcover_ai import download as unpack_module
from partialseg.datasets.landcover_ai.download import unpack

IMAGE = bytes(range(256)) * 5000  # more than one block
CONTENT = {"images/a.tif": IMAGE, "masks/deep/a.tif": b"\1\2", "train.txt": b"a_0\n", "none": b""}
METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
USAGE = namedtuple("USAGE", "total used free")


def write_zip(file: Path, members: dict[Any, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(file, "w", method) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return file


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "work" / "unpacked"


@pytest.fixture(autouse=True)
def nothing_left_over(tmp_path: Path, folder: Path) -> Iterator[None]:
    """After each test: no temporary folder, and nothing beside the target."""
    yield
    if folder.parent.exists():
        assert {path.name for path in folder.parent.iterdir()} <= {"unpacked"}
    assert {path.name for path in tmp_path.iterdir()} <= {"a.zip", "work"}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_unpacks_exact_bytes(tmp_path: Path, folder: Path, method: int) -> None:
    unpack(write_zip(tmp_path / "a.zip", CONTENT, method), folder)
    assert contents(folder) == CONTENT


def test_folders_are_kept(tmp_path: Path, folder: Path) -> None:
    members = {"./": b"", "top/": b"", "top/empty/": b"", "top/file": b"1", "top/./file2": b"2"}
    unpack(write_zip(tmp_path / "a.zip", members), folder)
    assert contents(folder) == {"top/file": b"1", "top/file2": b"2"}
    assert (folder / "top" / "empty").is_dir()


def test_progress_bar_in_bytes(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    bars: list[Any] = []

    def recorded(**options: Any) -> Any:
        bars.append(tqdm(**options))
        return bars[-1]

    monkeypatch.setattr(unpack_module, "tqdm", recorded)
    unpack(write_zip(tmp_path / "a.zip", CONTENT), folder)
    total = sum(map(len, CONTENT.values()))
    (bar,) = bars
    assert (bar.n, bar.total, bar.unit, bar.unit_scale) == (total, total, "B", True)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "a.zip: 100%" in captured.err


def test_leftover_of_a_killed_run_is_removed(tmp_path: Path, folder: Path) -> None:
    leftover = folder.with_name("unpacked.part")
    leftover.mkdir(parents=True)
    (leftover / "stale").write_bytes(b"x")
    unpack(write_zip(tmp_path / "a.zip", CONTENT), folder)
    assert contents(folder) == CONTENT


def test_folder_appears_only_when_whole(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    read = zipfile.ZipExtFile.read

    def watched_read(self: zipfile.ZipExtFile, n: int = -1) -> bytes:
        seen.append(folder.exists())
        return read(self, n)

    monkeypatch.setattr(zipfile.ZipExtFile, "read", watched_read)
    unpack(write_zip(tmp_path / "a.zip", CONTENT), folder)
    assert len(seen) > len(CONTENT)
    assert not any(seen)


def test_empty_folder_is_filled(tmp_path: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    unpack(write_zip(tmp_path / "a.zip", CONTENT), folder)
    assert contents(folder) == CONTENT


def test_folder_in_use_is_refused(tmp_path: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "mine").write_bytes(b"mine")
    archive = write_zip(tmp_path / "a.zip", CONTENT)
    with pytest.raises(ValueError, match=r"work/unpacked: must not exist or be an empty folder"):
        unpack(archive, folder)
    assert contents(folder) == {"mine": b"mine"}


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path, folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_bytes(b"mine")
    archive = write_zip(tmp_path / "a.zip", CONTENT)
    with pytest.raises(ValueError, match="must not exist or be an empty folder"):
        unpack(archive, folder)
    assert folder.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("../evil", r"has '\.\.' in its path"),
        ("images/../../evil", r"has '\.\.' in its path"),
        ("..", r"has '\.\.' in its path"),
        ("/abs", "has an absolute path"),
        ("//server/share", "has an absolute path"),
        ("C:/evil", "has an absolute path"),
        ("c:evil", "has an absolute path"),
        ("..\\evil", "has a backslash or a NUL in its name"),
        ("images\\a.tif", "has a backslash or a NUL in its name"),
    ],
)
def test_hostile_names_are_refused(tmp_path: Path, folder: Path, name: str, rule: str) -> None:
    archive = write_zip(tmp_path / "a.zip", {"good.txt": b"good", name: b"evil"})
    with pytest.raises(ValueError, match=rf"a\.zip: member .* {rule}$") as raised:
        unpack(archive, folder)
    assert repr(name) in str(raised.value)
    assert not folder.parent.exists()  # refused before anything was written


def test_nameless_file_is_refused(tmp_path: Path, folder: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {".": b"evil"})
    with pytest.raises(ValueError, match=r"a\.zip: member '\.' has no name$"):
        unpack(archive, folder)
    assert not folder.parent.exists()


def test_folder_with_bytes_is_refused(tmp_path: Path, folder: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"images/a": b"evil"})
    # Without this check one damaged letter turns a file into an empty folder.
    archive.write_bytes(archive.read_bytes().replace(b"images/a", b"images//"))
    with pytest.raises(ValueError, match=r"a\.zip: member 'images//' is a folder with bytes"):
        unpack(archive, folder)
    assert not folder.parent.exists()


def test_nul_in_a_name_is_refused(tmp_path: Path, folder: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"evil_.txt": b"evil"})
    # zipfile itself would cut the name there and write the member as 'evil'.
    archive.write_bytes(archive.read_bytes().replace(b"evil_.txt", b"evil\0.txt"))
    with pytest.raises(ValueError, match=r"'evil\\x00\.txt' has a backslash or a NUL"):
        unpack(archive, folder)
    assert not folder.parent.exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path: Path, folder: Path, kind: int) -> None:
    member = zipfile.ZipInfo("images/link")
    member.external_attr = (kind | 0o777) << 16
    archive = write_zip(tmp_path / "a.zip", {"good.txt": b"good", member: b"/etc/passwd"})
    with pytest.raises(ValueError, match=r"a\.zip: member 'images/link' is a symbolic link"):
        unpack(archive, folder)
    assert not folder.parent.exists()


def test_encrypted_member_is_refused(tmp_path: Path, folder: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"secret": b"secret"})
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.zip: member 'secret' is encrypted"):
        unpack(archive, folder)


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        (["a", "A", "a"], "member 'a' is in it twice"),
        (["x/a", "x/./a"], r"member 'x/\./a' is in it twice"),
        (["x", "x/"], "member 'x/' is in it twice"),
        (["x/a", "x"], "member 'x/a' lies in a folder that is a file as well"),
        (["x", "x/y/a"], "member 'x/y/a' lies in a folder that is a file as well"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_colliding_names_are_refused(
    tmp_path: Path, folder: Path, names: list[str], rule: str
) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as zip_file:
        for name in names:
            zip_file.writestr(name, b"")
    with pytest.raises(ValueError, match=rf"a\.zip: {rule}$"):
        unpack(archive, folder)
    assert not folder.parent.exists()


def test_names_that_differ_in_case_are_kept(tmp_path: Path, folder: Path) -> None:
    members = {"a/x": b"1", "A/x": b"2"}
    archive = write_zip(tmp_path / "a.zip", members)
    unpack(archive, folder)
    assert contents(folder) == members


def test_missing_archive(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a\.zip"):
        unpack(tmp_path / "a.zip", folder)


def test_other_file_is_no_zip(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"<html>please log in</html>")
    with pytest.raises(ValueError, match=r"a\.zip: is no readable zip archive: File is not a zip"):
        unpack(tmp_path / "a.zip", folder)
    assert not folder.parent.exists()


def test_truncated_archive(tmp_path: Path, folder: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", CONTENT)
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"a\.zip: is no readable zip archive"):
        unpack(archive, folder)
    assert not folder.parent.exists()


def test_flipped_byte_of_a_stored_member_fails_its_crc(tmp_path: Path, folder: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", CONTENT, zipfile.ZIP_STORED)
    data = bytearray(archive.read_bytes())
    data[data.index(IMAGE) + 1000] ^= 1
    archive.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.zip: member 'images/a\.tif' is damaged: Bad CRC-32"):
        unpack(archive, folder)
    assert not folder.exists()


def test_swallowed_member_is_noticed(tmp_path: Path, folder: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a": b"a", "b": b"b", "c": b"c"})
    data = bytearray(archive.read_bytes())
    # The comment of the first entry now covers the second one: 46 bytes and its name.
    data[data.index(b"PK\1\2") + 32] = 47
    archive.write_bytes(data)
    assert zipfile.ZipFile(archive).namelist() == ["a", "c"]
    with pytest.raises(ValueError, match=r"a\.zip: is damaged: lists 2 of its 3 members"):
        unpack(archive, folder)


def test_zip64_archive(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
        archive = write_zip(tmp_path / "a.zip", CONTENT)
    data = bytearray(archive.read_bytes())
    start = data.rindex(b"PK\5\6")
    data[start + 8 : start + 12] = b"\xff" * 4  # the counts, as in one of 65,536 members
    archive.write_bytes(data)
    unpack(archive, folder)
    assert contents(folder) == CONTENT


def test_archive_with_a_comment(tmp_path: Path, folder: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", CONTENT)
    with zipfile.ZipFile(archive, "a") as zip_file:
        zip_file.comment = b"x" * 0xFFFF
    unpack(archive, folder)
    assert contents(folder) == CONTENT


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_flipped_byte_is_harmless_or_refused(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, method: int
) -> None:
    monkeypatch.setattr(unpack_module, "tqdm", partial(tqdm, disable=True))
    members = {"a/b": b"abc" * 20, "Łódź": b"\0" * 30}
    archive = write_zip(tmp_path / "a.zip", members, method)
    sound = archive.read_bytes()
    refused = 0
    for position in range(0, len(sound), 3):
        data = bytearray(sound)
        data[position] ^= 0xFF
        archive.write_bytes(data)
        try:
            unpack(archive, folder)
        except ValueError as error:
            refused += 1
            assert str(error).startswith(f"{archive}: ")
            assert not folder.exists()
        else:  # a date, an attribute or a version
            assert contents(folder) == members
            shutil.rmtree(folder)
    assert refused > len(sound) / 12  # names, offsets, sizes, checksums and data


def test_more_than_the_free_space_is_refused(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leftover = folder.with_name("unpacked.part") / "stale"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"x")
    archive = write_zip(tmp_path / "a.zip", CONTENT)
    needed = sum(map(len, CONTENT.values()))
    free = needed - 1

    def usage(path: Path) -> USAGE:
        assert not leftover.exists(), "measured with a leftover still on the disk"
        return USAGE(free, 0, free)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    message = rf"a\.zip: needs {needed} bytes .*'images/a\.tif' alone {len(IMAGE)}.*{free} free"
    with pytest.raises(OSError, match=message) as raised:
        unpack(archive, folder)
    assert raised.value.errno == errno.ENOSPC
    assert not folder.exists()
    free = needed
    unpack(archive, folder)
    assert contents(folder) == CONTENT


class FullDisk(io.FileIO):
    """A file on a disk with room for 1,000,000 bytes of it."""

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > 1_000_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def test_full_disk_leaves_nothing_behind(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path_open = Path.open

    def small_disk_open(path: Path, mode: str = "r") -> Any:
        return FullDisk(path, "x") if mode == "xb" else path_open(path, mode)

    archive = write_zip(tmp_path / "a.zip", {"small": b"fits"} | CONTENT)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", small_disk_open)
        with pytest.raises(OSError, match=r"a\.zip: member 'images/a\.tif' .*No space") as raised:
            unpack(archive, folder)
    assert raised.value.errno == errno.ENOSPC
    assert not folder.exists()
    unpack(archive, folder)
    assert contents(folder) == {"small": b"fits"} | CONTENT
