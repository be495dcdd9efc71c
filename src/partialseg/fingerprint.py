"""What a training depends on, in one line: parameters, code, versions and data."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# Other versions of these may compute other numbers.
LIBRARIES = ("torch", "numpy", "albumentations", "cv2")


def fingerprint(settings: Mapping[str, Any], folders: Mapping[str, Path]) -> str:
    """Return a digest of settings (plain types), code, versions and the content of folders.

    Code is that of all modules of partialseg that are imported by now, and the script.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
    for library in LIBRARIES:
        version = getattr(sys.modules.get(library), "__version__", "none")
        digest.update(f"{library} {version}\n".encode())
    for name, file in [*_code(), *_content(folders)]:
        with file.open("rb") as stream:
            # Reading the patches here also brings them into memory for the first epoch.
            content = hashlib.file_digest(stream, "blake2b").hexdigest()
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()


def _code() -> Iterator[tuple[str, Path]]:
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and (name == "__main__" or name.split(".")[0] == "partialseg"):
            yield name, Path(file)


def _content(folders: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    for name, folder in sorted(folders.items()):
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                yield f"{name}/{file.relative_to(folder).as_posix()}", file
