"""The whole pipeline on an archive of LandCover.ai's size: time, memory and disk of each stage."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from full_archive import write_archive
from timing import print_table

ROOT = Path(__file__).parents[1]
BROKEN_OFF = 0.4  # share of the archive after which the server ends its first answer
BLOCK = 1 << 20  # bytes
GIB = 2**30
STAGES = ("check", "download", "tile", "label", "train", "evaluate", "compare", "report", "publish")
# Runs a command and prints what it and all its descendants took: the peak is of the largest one.
MEASURED = (
    "import json, resource, subprocess, sys, time; began = time.perf_counter();"
    "done = subprocess.run(sys.argv[2:]); used = resource.getrusage(resource.RUSAGE_CHILDREN);"
    "cost = [time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20];"
    "open(sys.argv[1], 'w').write(json.dumps(cost)); sys.exit(done.returncode)"
)


class Breaking(BaseHTTPRequestHandler):
    """Serves one file, with ranges; the first answer breaks off on the way."""

    file: Path
    broken: list[int]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the file from the first byte that is asked for."""
        size = self.file.stat().st_size
        first = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(size - first))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
        self.end_headers()
        end = size
        if not self.broken:
            end = int(size * BROKEN_OFF)
            self.broken.append(end)
            self.close_connection = True
        with self.file.open("rb") as stream:
            stream.seek(first)
            while (left := end - stream.tell()) > 0:
                self.wfile.write(stream.read(min(BLOCK, left)))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the pipeline prints enough."""


@contextmanager
def served(file: Path, port: int) -> Iterator[str]:
    """Serve a file on this machine; yields its URL."""
    handler = type("Handler", (Breaking,), {"file": file, "broken": []})
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/landcover.ai.v1.zip"
        server.shutdown()


@dataclass(frozen=True, kw_only=True)
class Clone:
    """A clone of the project with a DVC cache and a site cache of its own, in `folder`."""

    folder: Path

    @property
    def project(self) -> Path:
        """The clone itself."""
        return self.folder / "project"

    def environment(self) -> dict[str, str]:
        """Return the environment of its commands."""
        return os.environ | {
            "DVC_SITE_CACHE_DIR": str(self.folder / "site-cache"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "benchmarks" / "sampled"),
            "PARTIALSEG_SAMPLES": str(self.folder / "samples"),
        }

    def make(self, url: str, md5: str, architectures: list[str]) -> None:
        """Clone the last commit, with one epoch of the smallest networks as its experiment."""
        if self.project.exists():  # of an earlier call, which is continued
            self.edit(lambda params: params.update(architectures=architectures))
            return
        (self.folder / "samples").mkdir(parents=True)
        subprocess.run(["git", "clone", "-q", str(ROOT), str(self.project)], check=True)
        self.edit(lambda params: change_params(params, url, md5, architectures))
        for name in ("dvc.lock", "plots", "metrics"):  # of the sample
            path = self.project / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the parameters."""
        file = self.project / "params.yaml"
        params = yaml.safe_load(file.read_text(encoding="utf-8"))
        change(params)
        file.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")

    def run(self, *command: str) -> tuple[float, float, float]:
        """Run a command; return seconds, CPU seconds and the peak memory of a process in GiB."""
        cost = self.folder / "cost.json"
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, str(cost), *command],
            cwd=self.project,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        (self.folder / "log.txt").open("a").write(f"$ {' '.join(command)}\n{done.stdout}\n")
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}:\n{done.stdout[-4000:]}")
        seconds, cpu, peak = json.loads(cost.read_text(encoding="utf-8"))
        return seconds, cpu, peak

    def stages(self, name: str) -> list[str]:
        """Return the stages of a name, one for each item of its matrix."""
        listed = subprocess.run(
            ["dvc", "stage", "list", "--name-only"],
            cwd=self.project,
            env=self.environment(),
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        return [stage for stage in listed if stage.split("@")[0] == name]

    def patches(self) -> int:
        """Return the number of patches; 0 before they are cut."""
        manifest = self.project / "data" / "landcover_ai" / "main" / "patches" / "manifest.csv"
        return len(manifest.read_text().splitlines()) - 1 if manifest.exists() else 0

    def samples(self) -> dict[str, Any]:
        """Return what was seen of the last stage, and forget it."""
        files = list((self.folder / "samples").glob("*.json"))
        seen = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        for file in files:
            file.unlink()
        return max(seen, key=lambda item: item["seconds"], default={})


def change_params(params: dict[str, Any], url: str, md5: str, architectures: list[str]) -> None:
    """Make `landcover_ai` the data set, from this archive, with trainings of one epoch."""
    params |= {"dataset": "landcover_ai", "recipes": ["tuned"], "architectures": architectures}
    section = params["datasets"]["landcover_ai"]
    section["download"] |= {"urls": [url], "md5": md5}
    section["train"] |= {"base_channels": 2, "workers": 1}
    section["recipes"]["tuned"] |= {"epochs": 1}
    section["evaluate"] |= {"workers": 1}


def disk_gib(folder: Path) -> float:
    """Return the GiB of all files in a folder."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_blocks * 512 for path in files) / GIB


def row_of(clone: Clone, command: str, cost: tuple[float, float, float]) -> dict[str, object]:
    """Return a row of the table: what a command cost, and where its time went."""
    seen = clone.samples()
    functions = seen.get("functions", {})
    slowest = max(functions, key=functions.__getitem__, default="")
    return {
        "command": command,
        "patches": clone.patches(),
        "seconds": f"{cost[0]:.1f}",
        "CPU s": f"{cost[1]:.1f}",
        "GiB": f"{cost[2]:.2f}",
        "without mapped files": f"{seen['own_gib']:.2f}" if seen.get("own_gib") else "",
        "disk GiB": f"{disk_gib(clone.folder):.2f}",
        "slowest function": f"{slowest} {functions[slowest]:.1f} s" if slowest else "",
        "network s": f"{seen['network']:.1f}" if seen.get("network") else "",
    }


def pipeline(clone: Clone, last: str) -> Iterator[dict[str, object]]:
    """Run the stages one by one up to the last, then all of them again; yield rows."""
    for name in STAGES[: STAGES.index(last) + 1]:
        for stage in clone.stages(name):
            yield row_of(clone, stage, clone.run("dvc", "repro", "--single-item", stage))
    if last != STAGES[-1]:
        return
    yield row_of(clone, "dvc repro, all", clone.run("dvc", "repro"))
    yield row_of(clone, "dvc repro, nothing to do", clone.run("dvc", "repro"))
    images = clone.project / "data" / "landcover_ai" / "source" / "images"
    largest = max(images.iterdir(), key=lambda file: file.stat().st_size)
    command = ("python", "src/predict.py", "models/best.pt", str(largest), "--out", "maps")
    yield row_of(clone, "map of an orthophoto", clone.run(*command))


def compared(rows: list[dict[str, object]], other: Path) -> list[dict[str, object]]:
    """Return the rows with their CPU time for each patch, as a multiple of that of another run.

    other holds the output of that run: the rows as lines of JSON, among others.
    """
    lines = other.read_text(encoding="utf-8").splitlines()
    read = (json.loads(line) for line in lines if line.startswith("{"))
    earlier = {row["command"]: row for row in read}

    def a_patch(row: Mapping[str, object]) -> float:
        return float(str(row["CPU s"])) / int(str(row["patches"]))

    def times(row: dict[str, object]) -> str:
        same = earlier.get(row["command"], {"patches": 0})
        return f"{a_patch(row) / a_patch(same):.2f}" if row["patches"] and same["patches"] else ""

    return [row | {"times the cost a patch": times(row)} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.1, help="of the real archive")
    parser.add_argument("--archive", type=Path, help="one that is there already")
    parser.add_argument("--last", choices=STAGES, default=STAGES[-1], help="the last stage to run")
    parser.add_argument("--folder", type=Path, help="where to work; kept, and continued")
    parser.add_argument("--architectures", nargs="+", default=["unet", "unetplusplus"])
    parser.add_argument("--against", type=Path, help="the output of a run of another size")
    parser.add_argument("--port", type=int, default=18080, help="of the local server")
    args = parser.parse_args()
    if args.folder:
        args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
        folder = args.folder or Path(temporary)
        archive = args.archive or folder / "archive.zip"
        if not archive.exists():
            write_archive(archive, args.share)
        md5 = subprocess.run(
            ["md5sum", archive], check=True, capture_output=True, text=True
        ).stdout.split()[0]
        print(f"archive: {archive.stat().st_size / GIB:.2f} GiB, {md5}", flush=True)
        rows = []
        with served(archive, args.port) as url:
            clone = Clone(folder=folder / "clone")
            clone.make(url, md5, args.architectures)
            for row in pipeline(clone, args.last):
                print(json.dumps(row), flush=True)
                rows.append(row)
        print_table(compared(rows, args.against) if args.against else rows)


if __name__ == "__main__":
    main()
