"""Fetch one file over unreliable lines: mirrors, retries, resumption and a checksum."""

import hashlib
import logging
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.request import url2pathname

import requests
import urllib3
from tqdm import tqdm

BACKOFF = 1.0  # seconds before the first retry, doubled before each further one
BLOCK = 1 << 16  # bytes a read: what a killed download loses at most, give or take a buffer
TRANSIENT = (408, 429)  # these pass with time, as every 5xx may (RFC 9110 15.5.9, RFC 6585 4)

logger = logging.getLogger(__name__)


class _MirrorError(Exception):
    """This mirror does not deliver the file; another one may."""


class _TransientError(_MirrorError):
    """This mirror failed in a way that may pass, so the same request is worth repeating."""


def fetch(urls: Sequence[str], md5: str, file: Path, *, retries: int, timeout: float) -> None:
    """Fetch one file from the first mirror that delivers it whole, resuming `<file>.part`.

    Each url is http(s)://, file:// or a local path; `timeout` is in seconds without a byte, and a
    mirror is asked again at most `retries` times. Nothing is fetched when `file` has that md5.

    Raises:
        OSError: No mirror delivers a file of this md5 (the message gives the reason of each), or
            the disk refuses it; what arrived by then stays in `<file>.part`.
    """
    expected = md5.lower()
    if has_md5(file, expected):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(file)
    reasons = []
    for url in urls:
        try:
            _deliver(url, expected, part, retries, timeout)
        except _MirrorError as error:
            reasons.append(f"{url}: {error}")
        else:
            os.replace(part, file)
            return
    raise OSError(f"{file}: no mirror delivers it: {'; '.join(reasons) or 'none is given'}")


def has_md5(file: Path, md5: str) -> bool:
    """Return whether a file exists and has this MD5 sum."""
    return file.exists() and _md5(file) == md5


def part_of(file: Path) -> Path:
    """Return the file in which fetch() keeps what has arrived of `file`."""
    return file.with_name(file.name + ".part")


def _md5(file: Path) -> str:
    with file.open("rb") as stream:
        # A FIPS build refuses MD5 unless told that no security hangs on it.
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _deliver(url: str, md5: str, part: Path, retries: int, timeout: float) -> None:
    """Leave a file of this md5 in `part`, or raise _MirrorError."""
    if not url.lower().startswith(("http://", "https://")):
        _copy(_local_path(url), md5, part)
        return
    for _ in range(2):
        resumed = _download(url, part, retries, timeout)
        got = _md5(part)
        if got == md5:
            return
        part.unlink()
        if not resumed:
            break
        # Its beginning may be of other content: once more from zero before this mirror is blamed.
        logger.warning("%s: md5 is %s after resuming, fetching it from zero", url, got)
    raise _MirrorError(f"md5 is {got}, expected {md5}")


def _local_path(url: str) -> Path:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Path(os.path.expanduser(url))
    path = rest.removeprefix("localhost")
    if scheme.lower() != "file" or not path.startswith("/"):
        raise _MirrorError("must be http://, https://, file:///absolute or a local path")
    return Path(url2pathname(path))


def _copy(source: Path, md5: str, part: Path) -> None:
    try:
        got = _md5(source)
    except OSError as error:
        raise _MirrorError(error.strerror) from error
    if got != md5:
        raise _MirrorError(f"md5 is {got}, expected {md5}")
    # Not a hard link: DVC makes files read-only, which would reach the user's own through it.
    shutil.copyfile(source, part)


def _download(url: str, part: Path, retries: int, timeout: float) -> bool:
    """Complete `part`, with retries; returns whether it holds bytes of an earlier request."""
    for attempt in range(retries):
        try:
            return _request_rest(url, part, timeout)
        except _TransientError as error:
            pause = BACKOFF * 2**attempt
            logger.warning("%s: %s; next try in %g s", url, error, pause)
            time.sleep(pause)
    return _request_rest(url, part, timeout)


def _request_rest(url: str, part: Path, timeout: float) -> bool:
    """Complete `part` by one request; returns whether the bytes that it had were kept."""
    have = part.stat().st_size if part.exists() else 0
    with _get(url, have, timeout) as response:
        if have and response.status_code == 416:
            return True  # nothing follows these bytes, so the checksum tells whether they are all
        kept = _kept_bytes(response, have, part)
        _write_body(response, kept, part)
    return kept > 0


def _get(url: str, have: int, timeout: float) -> requests.Response:
    # Identity: a compressed answer would have another length, and other ranges, than the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        return requests.get(url, headers=headers, stream=True, timeout=timeout)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _TransientError(error) from error
    except requests.RequestException as error:
        raise _MirrorError(error) from error


def _kept_bytes(response: requests.Response, have: int, part: Path) -> int:
    """How many of the bytes in `part` this answer continues: all of them, or none."""
    status = response.status_code
    if status >= 500 or status in TRANSIENT:
        raise _TransientError(f"HTTP {status} {response.reason}")
    if status == 200:  # the whole file: the server does not know Range, or was not asked for one
        return 0
    if status != 206:
        raise _MirrorError(f"HTTP {status} {response.reason}")
    content_range = response.headers.get("Content-Range", "")
    if not content_range.startswith(f"bytes {have}-"):
        part.unlink(missing_ok=True)  # so that the next try needs no Range
        raise _TransientError(f"answers bytes={have}- with Content-Range {content_range!r}")
    return have


def _write_body(response: requests.Response, kept: int, part: Path) -> None:
    length = response.headers.get("Content-Length", "")  # a chunked answer has none
    total = kept + int(length) if length.isdigit() else None
    bar = tqdm(
        desc=part.stem, total=total, initial=kept, unit="B", unit_scale=True, mininterval=1.0
    )
    try:
        with bar, part.open("ab" if kept else "wb") as stream:
            for block in _blocks(response):
                stream.write(block)
                bar.update(len(block))
    except OSError as error:
        reason = f"{part}: cannot be written (kept for resuming): {error.strerror}"
        raise OSError(error.errno, reason) from error
    size = part.stat().st_size
    if total is not None and size != total:
        raise _TransientError(f"broke off after {size} of {total} bytes")


def _blocks(response: requests.Response) -> Iterator[bytes]:
    """Read the body as sent: iter_content would undo a Content-Encoding and drop a last block."""
    try:
        yield from response.raw.stream(BLOCK, decode_content=False)
    except urllib3.exceptions.HTTPError as error:
        raise _TransientError(f"broke off: {error}") from error
