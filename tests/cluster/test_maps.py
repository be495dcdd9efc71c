"""Maps by a real cluster of two workers: equal bytes, whatever dies, is damaged or is full."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import pytest
import rasterio
from distributed import Client

from checkpoints import checkpoint_of, trained_network
from code_of_stage import SRC
from partialseg.cluster import maps
from partialseg.cluster import predict as cluster
from partialseg.cluster.clients import local_workers
from partialseg.cluster.predict import (
    UNFINISHED,
    Request,
    _job,
    described,
    predict_by_workers,
)
from partialseg.engine.checkpoint import save_checkpoint
from partialseg.mapping.maps import Wanted
from partialseg.mapping.origin import NETWORK_TAG, file_digest, origin_of
from partialseg.mapping.orthophoto import Reading
from partialseg.mapping.predict import Outcome, reading_for, stitching_of
from partialseg.mapping.runtime import choose
from predict import main
from rasters import draw_orthophoto, write_raster

pytestmark = pytest.mark.slow
ALL = Wanted(
    probabilities=True, entropy=True, polygons=True, areas=True, overlay=True, min_area=0.0
)
CLASSES = replace(
    ALL, probabilities=False, entropy=False, polygons=False, areas=False, overlay=False
)
READING = Reading(bands=None, stretch=None, gsd=None, resample=True)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with local_workers(2, 1, {}) as made:
        yield made


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a network for pixels of 0.5 m, so that images of 0.25 m are resampled."""
    file = tmp_path_factory.mktemp("network") / "best.pt"
    network = trained_network()
    *_, weight, _ = network.parameters()  # of the last layer
    weight.data *= 20  # so that the classes and their probabilities differ from place to place
    made = checkpoint_of(network, ground_sampling_distances=[0.5], patch_size=48)
    save_checkpoint(made, file)
    return file


def write_image(folder: Path, name: str, height: int = 700, width: int = 300) -> Path:
    bands = draw_orthophoto(np.random.default_rng(len(name)), height, width)[0]
    bands = np.maximum(bands, 1)
    bands[:, : height // 3, : width // 3] = 0
    image = write_raster(folder / name, bands, crs="EPSG:2180" if name.endswith("tif") else None)
    if name.endswith("tif"):
        with rasterio.open(image, "r+") as raster:
            raster.nodata = 0
    return image


def request(checkpoint: Path, out: Path, **changes: Any) -> Request:
    choice = choose(False, "torch", "cpu", "float32")
    network, runtime = described(checkpoint, False, choice)
    made = Request(
        file=checkpoint,
        is_onnx=False,
        choice=choice,
        runtime=runtime,
        views="none",
        reading=READING,
        stitching=stitching_of(network, None, None, None),
        tags={NETWORK_TAG: file_digest(checkpoint)},
        wanted=CLASSES,
        mosaic=False,
        out=out,
    )
    return replace(made, **changes)


def predicted(client: Client, asked: Request, *images: Path) -> Outcome:
    network, _ = described(asked.file, asked.is_onnx, asked.choice)
    reading = reading_for(network.info, asked.reading)
    tags = origin_of(file_digest(asked.file), asked.views, reading, asked.stitching, asked.wanted)
    asked = replace(asked, reading=reading, tags=tags)
    return predict_by_workers(client, network, asked, images, [])


def alone(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    words = ["predict.py", *map(str, arguments), "--device", "cpu", "--precision", "float32"]
    monkeypatch.setattr(sys, "argv", [*words, "--runtime", "torch"])
    main()


def same_maps(one: Path, other: Path) -> list[str]:
    """Check that two folders have the same maps, and return their names.

    A GeoPackage has the time at which it was written, so its features are compared.
    """
    names = sorted(os.listdir(one))
    assert sorted(os.listdir(other)) == names
    for name in names:
        if name.endswith(".gpkg"):
            found = [pyogrio.raw.read(folder / name, layer="land_cover") for folder in (one, other)]
            assert found[0][2].tolist() == found[1][2].tolist()
        else:
            assert (one / name).read_bytes() == (other / name).read_bytes(), name
    return names


def test_maps_have_the_bytes_of_one_process(
    client: Client, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two images in strips, one that is not cut, and the mosaic of the two with a place."""
    monkeypatch.setattr(maps, "SMALLEST", 0.03)
    first, second = (write_image(tmp_path, name) for name in ("a.tif", "bb.tif"))
    third = write_image(tmp_path, "ccc.png")
    options = ["--probabilities", "--entropy", "--polygons", "--areas", "--overlay"]
    images = [first, second, third]
    alone(monkeypatch, checkpoint, *images, "--out", tmp_path / "alone", *options)
    asked = request(checkpoint, tmp_path / "shared", wanted=ALL, mosaic=False)
    done = predicted(client, asked, *images)
    assert done.failed == {}
    assert len(same_maps(tmp_path / "alone", tmp_path / "shared")) == 33
    with rasterio.open(tmp_path / "shared" / "a_classes.tif") as raster:
        assert raster.tags()["runtime"].endswith(", CPU, float32")
        assert (raster.read(1) == 255).any()
    with rasterio.open(tmp_path / "shared" / "a_probabilities.tif") as raster:
        assert len(np.unique(raster.read())) > 20


def test_a_worker_that_is_killed_in_the_middle_costs_nothing(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "SMALLEST", 0.03)
    image = write_image(tmp_path, "a.tif", 2000, 700)
    with local_workers(2, 1, {}) as client, ThreadPoolExecutor(1) as pool:
        asked = request(checkpoint, tmp_path / "shared")
        running = pool.submit(predicted, client, asked, image)
        killed = kill_at_work(client, lambda: not running.done())
        assert running.result().failed == {}
        assert killed not in client.run(os.getpid).values()
    alone(monkeypatch, checkpoint, image, "--out", tmp_path / "alone")
    assert len(same_maps(tmp_path / "alone", tmp_path / "shared")) == 3


def kill_at_work(client: Client, goes_on: Callable[[], bool]) -> int:
    """Kill a worker while it has a task of maps; return its process."""
    while goes_on():
        for address, process in client.run(os.getpid, on_error="ignore").items():
            if not at_work(client, address):
                continue
            os.kill(process, signal.SIGSTOP)  # it cannot end its task from here on
            time.sleep(0.5)  # what it had sent has arrived
            if at_work(client, address):
                os.kill(process, signal.SIGKILL)
                return int(process)
            os.kill(process, signal.SIGCONT)
        time.sleep(0.05)
    raise AssertionError("no worker was ever at work")


def at_work(client: Client, address: str) -> bool:
    def tasks(dask_scheduler: Any) -> int:
        worker = dask_scheduler.workers.get(address)
        return len(worker.processing) if worker and any(worker.used_resources.values()) else 0

    return bool(client.run_on_scheduler(tasks))


def test_what_fails_is_told_and_the_others_go_on(
    client: Client, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is no image, one that breaks off, and one whose maps do not fit on the disk."""
    good = write_image(tmp_path, "good.tif", 300, 200)
    large = write_image(tmp_path, "large.tif", 1500, 900)
    text, broken = tmp_path / "text.tif", write_image(tmp_path, "broken.tif")
    text.write_text("no image")
    broken.write_bytes(broken.read_bytes()[:300_000])
    asked = request(checkpoint, tmp_path / "maps", wanted=replace(CLASSES, probabilities=True))
    limit(client, 200_000)
    try:
        done = predicted(client, asked, text, broken, large, good)
    finally:
        limit(client, resource.RLIM_INFINITY)
    assert done.failed.keys() == {text, broken, large}
    assert "cannot be read as a raster" in done.failed[text]
    assert done.failed[broken].startswith(f"{broken}: cannot be read as a raster")
    assert done.failed[large].startswith(str(tmp_path / "maps" / UNFINISHED))
    assert "cannot be written (is the disk full?)" in done.failed[large]
    assert f"{large}: failed: " in capsys.readouterr().out
    assert sorted(os.listdir(tmp_path / "maps")) == [
        "good_classes.qml",
        "good_classes.tif",
        "good_classes.tif.aux.xml",
        "good_probabilities.qml",
        "good_probabilities.tif",
    ]


def limit(client: Client, size: int) -> None:
    """Let workers write no file beyond so many bytes: what a full disk is to them."""
    for process in client.run(os.getpid).values():
        resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_an_image_that_kills_its_workers_does_not_end_the_others(
    checkpoint: Path, tmp_path: Path
) -> None:
    large, good = write_image(tmp_path, "large.tif", 3000, 2500), write_image(tmp_path, "good.tif")
    asked = request(checkpoint, tmp_path / "maps")
    with local_workers(1, 1, {}) as client, ThreadPoolExecutor(1) as pool:
        running = pool.submit(predicted, client, asked, large, good)
        for _ in range(4):  # as often as Dask tries
            kill_at_work(client, lambda: not running.done())
        done = running.result()
    assert done.failed.keys() == {large}
    assert "its worker died each time that it was tried" in done.failed[large]
    assert sorted(os.listdir(tmp_path / "maps")) == [
        "good_classes.qml",
        "good_classes.tif",
        "good_classes.tif.aux.xml",
    ]


def test_a_worker_without_the_runtime_is_refused_by_name(
    client: Client, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = write_image(tmp_path, "a.tif", 100, 100)
    asked = request(checkpoint, tmp_path / "maps")
    missing = replace(asked, choice=replace(asked.choice, runtime="openvino"))
    if choose(False, "auto", "cpu", "float32").runtime == "openvino":
        pytest.skip("here each worker has OpenVINO")
    with pytest.raises(ValueError, match=r"^no worker can predict; tcp://.*: runtime: openvino is"):
        predicted_as(client, missing, asked, image)
    assert capsys.readouterr().err.count("is refused: runtime: openvino is not installed") == 2
    with pytest.raises(ValueError, match=r"^no worker .*: has torch .*, not torch 0\.1, CPU"):
        predicted_as(client, replace(asked, runtime="torch 0.1, CPU, float32"), asked, image)
    assert os.listdir(tmp_path / "maps") == []


def predicted_as(client: Client, asked: Request, known: Request, *images: Path) -> Outcome:
    """Predict by a request that this machine cannot describe."""
    network, _ = described(known.file, known.is_onnx, known.choice)
    return predict_by_workers(client, network, asked, images, [])


def test_workers_that_do_not_see_the_files_are_refused(
    client: Client, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = write_image(tmp_path, "a.tif", 100, 100)
    elsewhere = tmp_path / "elsewhere" / "a.tif"
    monkeypatch.setattr(
        cluster, "_job", lambda *asked: replace(_job(*asked), seen=((elsewhere, 1),))
    )
    with pytest.raises(ValueError, match=rf"^no worker can predict; .*: does not see {elsewhere}$"):
        predicted(client, request(checkpoint, tmp_path / "maps"), image)
    monkeypatch.setattr(cluster, "_job", lambda *asked: replace(_job(*asked), code="earlier"))
    with pytest.raises(ValueError, match=r"runs another version of the code in .*src; restart it$"):
        predicted(client, request(checkpoint, tmp_path / "maps"), image)


def test_a_scheduler_whose_workers_lack_the_package_and_a_mosaic(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As the documentation starts them, in another folder; paths are relative, too."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.tif", "bb.tif"):
        write_image(tmp_path, name, 200, 100)
    alone(monkeypatch, checkpoint, "a.tif", "bb.tif", "--out", "alone", "--mosaic")
    with ExitStack() as stack:
        address = started(stack, tmp_path)
        options = ["--out", "shared", "--scheduler", address, "--mosaic"]
        alone(monkeypatch, checkpoint, "a.tif", *options)
        capsys.readouterr()
        alone(monkeypatch, checkpoint, "a.tif", "bb.tif", *options, "--skip-existing")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 of 2 images have their maps in shared"
    assert "bb.tif: bb_classes.tif" in lines and "a.tif: a_classes.tif" not in lines
    assert lines[-1] == "shared/areas.csv, shared/classes.qml, shared/classes.vrt"
    assert len(same_maps(tmp_path / "alone", tmp_path / "shared")) == 9


def started(stack: ExitStack, folder: Path) -> str:
    """Start a scheduler and a worker that cannot import partialseg; return the address."""
    file = folder / "scheduler.json"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    (folder / "home").mkdir()
    for options in (["scheduler", "--port", "0"], ["worker", "--nthreads", "1"]):
        command = [sys.executable, "-m", "dask", *options, "--scheduler-file", str(file)]
        process = stack.enter_context(
            subprocess.Popen(
                [*command, "--no-dashboard"],
                cwd=folder / "home",
                env=environment,
                stderr=subprocess.DEVNULL,
            )
        )
        stack.callback(process.terminate)
        until = time.monotonic() + 120
        while not file.exists():
            assert time.monotonic() < until
            time.sleep(0.05)
    address: str = json.loads(file.read_text())["address"]
    return address


def test_ctrl_c_leaves_no_map(checkpoint: Path, tmp_path: Path) -> None:
    image = write_image(tmp_path, "a.tif", 4000, 3000)
    command = [sys.executable, SRC / "predict.py", checkpoint, image, "--out", tmp_path / "maps"]
    process = subprocess.Popen(
        [*map(str, command), "--workers", "1"], stderr=subprocess.PIPE, text=True
    )
    part = tmp_path / "maps" / UNFINISHED
    until = time.monotonic() + 120
    while not list(part.glob("*/*/*")):  # the raster of a strip
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted"
    assert os.listdir(tmp_path / "maps") == []
