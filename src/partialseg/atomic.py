"""Files and folders that exist under their final name only when they are whole."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty sibling folder that replaces `folder` when the block succeeds.

    After an exception nothing is left behind and an earlier `folder` is as it was.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)


@contextmanager
def new_file(file: Path) -> Iterator[Path]:
    """Yield a sibling path that replaces `file` when the block succeeds.

    The suffix is kept, since writers choose the format by it. After an exception nothing is left
    behind and an earlier `file` is as it was.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.stem}.part{file.suffix}")
    try:
        yield part
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
