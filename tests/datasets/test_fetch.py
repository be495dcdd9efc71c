"""fetch() against a real HTTP server on the loopback that misbehaves as its script says."""

import errno
import gzip
import hashlib
import io
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from tqdm import tqdm

from code_of_stage import SRC
from partialseg.datasets.landcover_ai import fetch as fetch_module
from partialseg.datasets.landcover_ai.fetch import BLOCK, fetch

CONTENT = random.Random(1).randbytes(5 * BLOCK + 123)
OTHER = random.Random(2).randbytes(len(CONTENT))
MD5 = hashlib.md5(CONTENT).hexdigest()
OTHER_MD5 = hashlib.md5(OTHER).hexdigest()
HALF = 2 * BLOCK + 7
WATCHDOG = 10.0  # seconds after which a stalled answer gives up, so that no test can hang


@dataclass
class Answer:
    """One scripted answer; `length` is its Content-Length, None for the real one, -1 for none."""

    status: int = 200
    body: bytes = b""
    length: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    stall: str = ""  # "before" or "after" the body: say nothing more until the test ends


def whole(content: bytes = CONTENT) -> Answer:
    return Answer(body=content)


def broken(size: int = HALF, content: bytes = CONTENT) -> Answer:
    """Promise all, send `size` bytes, hang up."""
    return Answer(body=content[:size], length=len(content))


def rest(start: int, content: bytes = CONTENT) -> Answer:
    content_range = f"bytes {start}-{len(content) - 1}/{len(content)}"
    return Answer(206, content[start:], headers={"Content-Range": content_range})


def status(code: int) -> Answer:
    return Answer(code, b"an error page")


class Server:
    """Answers each path by its script, one answer a request, and remembers the requests."""

    def __init__(self) -> None:
        self.script: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, str | None]] = []  # path, Range header
        self.accepted: set[str | None] = set()  # Accept-Encoding headers
        self.release = threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def url(self, path: str, *answers: Answer) -> str:
        self.script[path] = list(answers)
        return f"http://127.0.0.1:{self.http.server_address[1]}{path}"

    def ranges(self) -> list[str | None]:
        return [requested for _, requested in self.requests]

    def close(self) -> None:
        self.release.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests.append((self.path, self.headers["Range"]))
                server.accepted.add(self.headers["Accept-Encoding"])
                script = server.script[self.path]
                # 418 is never retried: a request too many fails the test and shows in requests.
                answer = script.pop(0) if script else status(418)
                if answer.stall == "before":
                    server.release.wait(WATCHDOG)
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.length != -1:
                    self.send_header("Content-Length", str(answer.length or len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
                if answer.stall == "after":
                    server.release.wait(WATCHDOG)

            def log_message(self, *args: Any) -> None:
                """Keep the captured stderr for the progress bar."""

        return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    yield server
    server.close()
    unused = {path: script for path, script in server.script.items() if script}
    assert unused == {}, "answers that nothing asked for"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The back-off pauses asked for, in seconds; none of them is slept."""
    asked: list[float] = []
    monkeypatch.setattr(fetch_module, "time", SimpleNamespace(sleep=asked.append))
    return asked


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "out" / "archive.zip"


def part_of(file: Path, content: bytes | None = None) -> Path:
    """The path of the unfinished download, which content, if given, is put in."""
    part = file.with_name("archive.zip.part")
    if content is not None:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
    return part


def assert_delivered(file: Path) -> None:
    assert file.read_bytes() == CONTENT
    assert [path.name for path in file.parent.iterdir()] == ["archive.zip"]


def test_whole_download(
    server: Server, file: Path, pauses: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    url = server.url("/a", whole())
    fetch([url], MD5, file, retries=2, timeout=5)
    assert_delivered(file)
    assert server.requests == [("/a", None)]
    assert server.accepted == {"identity"}
    assert pauses == []
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search(r"archive\.zip: 100%.*328k/328k", captured.err)


def test_upper_case_md5_is_the_same(server: Server, file: Path) -> None:
    fetch([server.url("/a", whole())], MD5.upper(), file, retries=0, timeout=5)
    assert_delivered(file)
    fetch([server.url("/a")], MD5.upper(), file, retries=0, timeout=5)
    assert server.requests == [("/a", None)]


def test_broken_off_download_resumes_with_range(
    server: Server, file: Path, pauses: list[float]
) -> None:
    url = server.url("/a", broken(), rest(HALF))
    fetch([url], MD5, file, retries=1, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [None, f"bytes={HALF}-"]
    assert pauses == [1.0]


def test_resumed_answer_that_breaks_off_is_resumed_again(server: Server, file: Path) -> None:
    second = rest(HALF)
    second.body, second.length = second.body[: 2 * BLOCK], len(second.body)
    url = server.url("/a", broken(), second, rest(HALF + 2 * BLOCK))
    fetch([url], MD5, file, retries=2, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [None, f"bytes={HALF}-", f"bytes={HALF + 2 * BLOCK}-"]


def test_server_that_ignores_range_starts_from_zero(server: Server, file: Path) -> None:
    url = server.url("/a", broken(), whole())
    fetch([url], MD5, file, retries=1, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [None, f"bytes={HALF}-"]


@pytest.mark.parametrize("content_range", ["bytes 0-9/99", f"bytes {HALF}0-9/99", ""])
def test_wrong_content_range_is_not_appended(
    server: Server, file: Path, pauses: list[float], content_range: str
) -> None:
    wrong = Answer(206, CONTENT, headers={"Content-Range": content_range})
    url = server.url("/a", broken(), wrong, whole())
    fetch([url], MD5, file, retries=2, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [None, f"bytes={HALF}-", None]
    assert pauses == [1.0, 2.0]  # seen at once, not by the checksum of a whole file


def test_broken_off_body_is_noticed_without_the_help_of_urllib3(
    server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict_init = urllib3.HTTPResponse.__init__

    def lenient_init(self: urllib3.HTTPResponse, *args: Any, **options: Any) -> None:
        strict_init(self, *args, **options)
        self.enforce_content_length = False  # the default before urllib3 2

    monkeypatch.setattr(urllib3.HTTPResponse, "__init__", lenient_init)
    url = server.url("/a", broken())
    with pytest.raises(OSError, match=f"/a: broke off after {HALF} of {len(CONTENT)} bytes$"):
        fetch([url], MD5, file, retries=0, timeout=5)
    server.url("/a", rest(HALF))
    fetch([url], MD5, file, retries=0, timeout=5)
    assert_delivered(file)


def test_next_mirror_resumes_what_the_first_began(server: Server, file: Path) -> None:
    urls = [server.url("/a", broken()), server.url("/b", rest(HALF))]
    fetch(urls, MD5, file, retries=0, timeout=5)
    assert_delivered(file)
    assert server.requests == [("/a", None), ("/b", f"bytes={HALF}-")]


def test_silent_server_times_out_and_is_asked_again(
    server: Server, file: Path, pauses: list[float]
) -> None:
    url = server.url("/a", Answer(stall="before"), whole())
    started = time.monotonic()
    fetch([url], MD5, file, retries=1, timeout=0.3)
    assert 0.3 <= time.monotonic() - started < WATCHDOG
    assert_delivered(file)
    assert server.ranges() == [None, None]
    assert pauses == [1.0]


def test_time_out_within_the_body_resumes(server: Server, file: Path) -> None:
    stalling = Answer(body=CONTENT[: 2 * BLOCK], length=len(CONTENT), stall="after")
    url = server.url("/a", stalling, rest(2 * BLOCK))
    fetch([url], MD5, file, retries=1, timeout=0.3)
    assert_delivered(file)
    assert server.ranges() == [None, f"bytes={2 * BLOCK}-"]


@pytest.mark.parametrize("code", [500, 503, 429])
def test_passing_trouble_is_retried(
    server: Server, file: Path, pauses: list[float], code: int
) -> None:
    url = server.url("/a", status(code), status(code), status(code), whole())
    fetch([url], MD5, file, retries=3, timeout=5)
    assert_delivered(file)
    assert pauses == [1.0, 2.0, 4.0]


def test_404_goes_to_the_next_mirror_at_once(
    server: Server, file: Path, pauses: list[float]
) -> None:
    urls = [server.url("/a", status(404)), server.url("/b", whole())]
    fetch(urls, MD5, file, retries=3, timeout=5)
    assert_delivered(file)
    assert server.requests == [("/a", None), ("/b", None)]
    assert pauses == []


def test_404_leaves_the_unfinished_file_to_the_next_mirror(server: Server, file: Path) -> None:
    part_of(file, CONTENT[:HALF])
    urls = [server.url("/a", status(404)), server.url("/b", rest(HALF))]
    fetch(urls, MD5, file, retries=0, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [f"bytes={HALF}-"] * 2


def test_redirect_keeps_the_range(server: Server, file: Path) -> None:
    part_of(file, CONTENT[:HALF])
    target = server.url("/b", rest(HALF))
    url = server.url("/a", Answer(302, headers={"Location": target}))
    fetch([url], MD5, file, retries=0, timeout=5)
    assert_delivered(file)
    assert server.requests == [("/a", f"bytes={HALF}-"), ("/b", f"bytes={HALF}-")]


def test_wrong_checksum_leaves_no_file(server: Server, file: Path) -> None:
    url = server.url("/a", whole(OTHER))
    with pytest.raises(OSError, match=f"/a: md5 is {OTHER_MD5}, expected {MD5}$"):
        fetch([url], MD5, file, retries=3, timeout=5)
    assert list(file.parent.iterdir()) == []
    assert server.ranges() == [None]  # no bad luck that another try might cure


def test_wrong_checksum_goes_to_the_next_mirror_from_zero(server: Server, file: Path) -> None:
    urls = [server.url("/a", whole(OTHER)), server.url("/b", whole())]
    fetch(urls, MD5, file, retries=0, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [None, None]


def test_poisoned_part_is_fetched_from_zero(server: Server, file: Path) -> None:
    part_of(file, OTHER[:HALF])
    url = server.url("/a", rest(HALF), whole())
    fetch([url], MD5, file, retries=0, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [f"bytes={HALF}-", None]


def test_poisoned_part_is_fetched_from_zero_only_once(server: Server, file: Path) -> None:
    part_of(file, OTHER[:HALF])
    # The mirror itself is wrong, and breaks off: resumed twice, it is given up.
    url = server.url("/a", rest(HALF, OTHER), broken(content=OTHER), rest(HALF, OTHER))
    with pytest.raises(OSError, match=f"md5 is {OTHER_MD5}, expected {MD5}"):
        fetch([url], MD5, file, retries=1, timeout=5)
    assert server.ranges() == [f"bytes={HALF}-", None, f"bytes={HALF}-"]
    assert list(file.parent.iterdir()) == []


def test_416_on_a_finished_part_is_enough(server: Server, file: Path) -> None:
    part_of(file, CONTENT)
    url = server.url("/a", status(416))
    fetch([url], MD5, file, retries=0, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [f"bytes={len(CONTENT)}-"]


def test_416_on_a_stale_part_starts_from_zero(server: Server, file: Path) -> None:
    part_of(file, CONTENT + b"more")
    url = server.url("/a", status(416), whole())
    fetch([url], MD5, file, retries=0, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [f"bytes={len(CONTENT) + 4}-", None]


def test_416_without_range_is_an_error(server: Server, file: Path) -> None:
    url = server.url("/a", status(416))
    with pytest.raises(OSError, match="/a: HTTP 416"):
        fetch([url], MD5, file, retries=3, timeout=5)
    assert server.ranges() == [None]


def test_empty_part_asks_for_everything(server: Server, file: Path) -> None:
    part_of(file, b"")
    fetch([server.url("/a", whole())], MD5, file, retries=0, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [None]


def test_empty_file(server: Server, file: Path) -> None:
    fetch([server.url("/a", whole(b""))], hashlib.md5().hexdigest(), file, retries=0, timeout=5)
    assert file.read_bytes() == b""


def test_body_without_a_length(server: Server, file: Path) -> None:
    url = server.url("/a", Answer(body=CONTENT, length=-1))
    fetch([url], MD5, file, retries=0, timeout=5)
    assert_delivered(file)


def test_chunked_body_that_breaks_off_is_fetched_again(server: Server, file: Path) -> None:
    def chunk(data: bytes) -> bytes:
        return f"{len(data):x}\r\n".encode() + data + b"\r\n"

    chunked = {"Transfer-Encoding": "chunked"}
    first = Answer(body=chunk(CONTENT[:HALF]), length=-1, headers=chunked)
    last = rest(HALF)
    last.body, last.length = chunk(CONTENT[HALF:]) + chunk(b""), -1
    last.headers |= chunked
    fetch([server.url("/a", first, last)], MD5, file, retries=1, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [None, f"bytes={HALF}-"]


def test_content_encoding_does_not_change_the_bytes(server: Server, file: Path) -> None:
    packed = gzip.compress(CONTENT, mtime=0)  # a .gz on a server that labels it as an encoding
    url = server.url("/a", Answer(body=packed, headers={"Content-Encoding": "gzip"}))
    fetch([url], hashlib.md5(packed).hexdigest(), file, retries=0, timeout=5)
    assert file.read_bytes() == packed


def test_existing_right_file_needs_no_request(server: Server, file: Path) -> None:
    part_of(file).parent.mkdir()
    file.write_bytes(CONTENT)
    before = file.stat()
    fetch([server.url("/a")], MD5, file, retries=0, timeout=5)
    assert server.requests == []
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert file.stat().st_ino == before.st_ino


def test_existing_wrong_file_is_replaced(server: Server, file: Path) -> None:
    part_of(file).parent.mkdir()
    file.write_bytes(OTHER)
    fetch([server.url("/a", whole())], MD5, file, retries=0, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [None]


def test_all_mirrors_failing_lists_each_in_one_line(
    server: Server, file: Path, pauses: list[float]
) -> None:
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        refused = f"http://127.0.0.1:{taken.getsockname()[1]}/refused"
        urls = [
            server.url("/missing", status(404)),
            server.url("/busy", status(503), status(503)),
            server.url("/short", broken(), Answer(stall="before")),
            server.url("/wrong", rest(HALF, OTHER), whole(OTHER)),
            refused,
            "no/such/file.zip",
            "ftp://127.0.0.1/file.zip",
        ]
        with pytest.raises(OSError, match="no mirror delivers it") as raised:
            fetch(urls, MD5, file, retries=1, timeout=0.5)
    message = str(raised.value)
    assert message.startswith(f"{file}: no mirror delivers it: http://127.0.0.1:")
    assert "\n" not in message
    reasons = [
        r"/missing: HTTP 404 Not Found; ",
        r"/busy: HTTP 503 Service Unavailable; ",
        r"/short: [^;]*Read timed out[^;]*; ",
        rf"/wrong: md5 is {OTHER_MD5}, expected {MD5}; ",
        r"/refused: [^;]*Connection refused[^;]*; ",
        r"no/such/file\.zip: No such file or directory; ",
        r"ftp://127\.0\.0\.1/file\.zip: must be http://, https://, file:///absolute or a local",
    ]
    assert re.search(".*".join(reasons), message)
    assert pauses == [1.0] * 3  # busy, short, refused
    assert list(file.parent.iterdir()) == []


def test_no_mirror_is_an_error(file: Path) -> None:
    with pytest.raises(OSError, match=r"archive\.zip: no mirror delivers it: none is given"):
        fetch([], MD5, file, retries=0, timeout=5)


def test_failing_mirrors_keep_the_part_and_an_existing_file(server: Server, file: Path) -> None:
    part = part_of(file, b"")
    file.write_bytes(OTHER)
    with pytest.raises(OSError, match=f"/a: broke off.*{HALF}"):
        fetch([server.url("/a", broken())], MD5, file, retries=0, timeout=5)
    assert file.read_bytes() == OTHER
    assert part.read_bytes() == CONTENT[:HALF]


@pytest.mark.parametrize("form", ["path", "file url", "localhost url", "home"])
def test_local_mirror_is_copied(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    source = tmp_path / "my data" / "source.zip"
    source.parent.mkdir()
    source.write_bytes(CONTENT)
    monkeypatch.setenv("HOME", str(tmp_path))
    url = {
        "path": str(source),
        "file url": source.as_uri(),
        "localhost url": source.as_uri().replace("file://", "file://localhost"),
        "home": "~/my data/source.zip",
    }[form]
    before = source.stat()
    fetch([url], MD5, file, retries=0, timeout=5)
    assert_delivered(file)
    file.chmod(0o400)  # as DVC does with its outputs: it must not reach the source
    after = source.stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert source.read_bytes() == CONTENT


def test_wrong_local_mirror_leaves_the_part_to_the_next(
    server: Server, tmp_path: Path, file: Path
) -> None:
    source = tmp_path / "source.zip"
    source.write_bytes(OTHER)
    part_of(file, CONTENT[:HALF])
    fetch([str(source), server.url("/a", rest(HALF))], MD5, file, retries=0, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [f"bytes={HALF}-"]
    assert source.read_bytes() == OTHER


@pytest.mark.parametrize("url", ["file://elsewhere/x", "file://x", "ftp:///x", "s3://bucket/x"])
def test_other_urls_are_refused(file: Path, url: str) -> None:
    with pytest.raises(OSError, match=f"{url}: must be http://, https://, file:///absolute or"):
        fetch([url], MD5, file, retries=0, timeout=5)


def test_progress_bar_starts_at_the_resumed_bytes(
    server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars: list[Any] = []

    def recorded(**options: Any) -> Any:
        bars.append(tqdm(**options))
        return bars[-1]

    monkeypatch.setattr(fetch_module, "tqdm", recorded)
    part_of(file, CONTENT[:HALF])
    fetch([server.url("/a", rest(HALF))], MD5, file, retries=0, timeout=5)
    (bar,) = bars
    assert (bar.initial, bar.n, bar.total) == (HALF, len(CONTENT), len(CONTENT))
    assert (bar.unit, bar.unit_scale, bar.desc) == ("B", True, "archive.zip")


class FullDisk(io.FileIO):
    """A file on a disk with room for HALF bytes of it."""

    def write(self, data: Any) -> int:
        room = HALF - self.tell()
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(bytes(data[:room]))


def test_full_disk_keeps_the_part_for_resuming(
    server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small_disk_open(path: Path, mode: str) -> io.BufferedWriter:
        return io.BufferedWriter(FullDisk(path, mode.replace("b", "")))

    urls = [server.url("/a", whole(), rest(HALF)), server.url("/b")]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", small_disk_open)
        with pytest.raises(OSError, match=r"archive\.zip\.part: .*No space left") as raised:
            fetch(urls, MD5, file, retries=3, timeout=5)
    assert raised.value.errno == errno.ENOSPC
    assert server.requests == [("/a", None)]  # neither a retry nor the next mirror can help
    assert part_of(file).read_bytes() == CONTENT[:HALF]
    fetch(urls, MD5, file, retries=3, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [None, f"bytes={HALF}-"]


def test_killed_download_resumes_in_the_next_process(server: Server, file: Path) -> None:
    stalling = Answer(body=CONTENT[: 3 * BLOCK], length=len(CONTENT), stall="after")
    url = server.url("/a", stalling)
    part = part_of(file)
    call = f"fetch([{url!r}], {MD5!r}, Path({str(file)!r}), retries=0, timeout=60)"
    module = fetch_module.__name__
    program = f"from pathlib import Path; from {module} import fetch; {call}"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(SRC)},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + WATCHDOG
    while not (part.exists() and part.stat().st_size >= 2 * BLOCK):
        assert process.poll() is None, "the download ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    have = part.stat().st_size
    assert part.read_bytes() == CONTENT[:have]
    assert not file.exists()
    server.url("/a", rest(have))
    fetch([url], MD5, file, retries=0, timeout=5)
    assert_delivered(file)
    assert server.ranges() == [None, f"bytes={have}-"]
