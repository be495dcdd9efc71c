import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest
import yaml

from code_of_stage import SRC
from partialseg.datasets.download import download
from partialseg.source.index import read_index
from partialseg.tiling.params import Tile
from partialseg.tiling.tile import tile
from rasters import draw_orthophoto, write_raster

SAMPLE = {
    "seed": 3,
    "orthophotos": 2,
    "min_side": 300,
    "max_side": 320,
    "cell": 128,
    "val_share": 0.25,
    "test_share": 0.25,
}
DUBAI = {
    "mask_values": "colours",
    "classes": [{"name": "land", "colour": [132, 41, 246]}, {"name": "water", "colour": [1, 2, 3]}],
    "ignored_ids": [],
    "ignored_colours": [[0, 0, 0]],
}


@pytest.fixture
def write_params(tmp_path: Path) -> Callable[..., Path]:
    def write(**datasets: object) -> Path:
        file = tmp_path / "params.yaml"
        sections = {name: {"download": section} for name, section in datasets.items()}
        file.write_text(yaml.safe_dump({"datasets": sections}))
        return file

    return write


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A small archive in the layout of LandCover.ai's."""
    rng = np.random.default_rng(1)
    made = tmp_path / "made"
    for name in ("M-1", "N-2"):
        image, ids = draw_orthophoto(rng, 40, 50)
        write_raster(made / "images" / f"{name}.tif", image)
        write_raster(made / "masks" / f"{name}.tif", np.repeat(ids, 3, axis=0))
    for name in ("train.txt", "val.txt", "test.txt", "split.py"):
        (made / name).write_text("M-1_0\n")
    with zipfile.ZipFile(tmp_path / "mirror.zip", "w") as packed:
        for file in sorted(made.rglob("*.*")):
            packed.write(file, file.relative_to(made))
    return tmp_path / "mirror.zip"


def landcover(archive: Path, kept: Path) -> dict[str, object]:
    return {
        "urls": [str(kept / "not-there.zip"), archive.as_uri()],
        "md5": md5(archive.read_bytes()).hexdigest(),
        "archive": str(kept / "landcover.zip"),
        "retries": 0,
        "timeout": 1.0,
        "disk": 0.0,
    }


def test_landcover_ai_is_fetched_verified_unpacked_and_indexed(
    archive: Path, tmp_path: Path, write_params: Callable[..., Path]
) -> None:
    params = write_params(landcover_ai=landcover(archive, tmp_path / "kept"))
    download("landcover_ai", params, tmp_path / "source")
    source = read_index(tmp_path / "source")
    assert [item.name for item in source.orthophotos] == ["M-1", "N-2"]
    assert source.legend.names == ("background", "building", "woodland", "water", "road")
    assert (tmp_path / "source" / "test.txt").read_text() == "M-1_0\n"


def test_a_wrong_checksum_unpacks_nothing(
    archive: Path, tmp_path: Path, write_params: Callable[..., Path]
) -> None:
    section = landcover(archive, tmp_path / "kept") | {"md5": "0" * 32}
    with pytest.raises(OSError, match=r"mirror\.zip: md5 is \w{32}, expected 0{32}"):
        download("landcover_ai", write_params(landcover_ai=section), tmp_path / "source")
    assert not (tmp_path / "source").exists()
    assert not (tmp_path / "kept" / "landcover.zip").exists()


def test_too_little_disk_is_told_before_anything_is_fetched(
    archive: Path,
    tmp_path: Path,
    write_params: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    params = write_params(landcover_ai=landcover(archive, tmp_path / "kept") | {"disk": 50.0})
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=49_900_000_000))
    with pytest.raises(OSError, match=r"49\.9 GB are free, and .* need 50 GB \(datasets\."):
        download("landcover_ai", params, tmp_path / "source")
    assert not (tmp_path / "source").exists() and not (tmp_path / "kept").exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=50_100_000_000))
    download("landcover_ai", params, tmp_path / "source")
    # The archive is there now. What is needed from here on is checked when it is unpacked.
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100_000))
    download("landcover_ai", params, tmp_path / "source")
    assert (tmp_path / "source" / "index.json").exists()


def test_a_wrong_archive_is_not_fetched_again_onto_too_little_disk(
    archive: Path,
    tmp_path: Path,
    write_params: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = tmp_path / "kept" / "landcover.zip"
    kept.parent.mkdir()
    kept.write_bytes(b"another one")
    params = write_params(landcover_ai=landcover(archive, tmp_path / "kept") | {"disk": 50.0})
    usage = shutil.disk_usage(tmp_path)._replace(free=49_900_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="need 50 GB"):
        download("landcover_ai", params, tmp_path / "source")
    assert kept.read_bytes() == b"another one"


def test_what_has_arrived_of_the_archive_counts_as_space(
    archive: Path,
    tmp_path: Path,
    write_params: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An interrupted transfer that began with just enough space goes on."""
    part = tmp_path / "kept" / "landcover.zip.part"
    part.parent.mkdir()
    with part.open("wb") as stream:
        stream.truncate(100_000_000)  # takes no space
    usage = shutil.disk_usage(tmp_path)._replace(free=49_900_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    for disk, message in ((50.1, "need 50.1 GB"), (50.0, "md5 is")):
        section = landcover(archive, tmp_path / "kept") | {"md5": "0" * 32, "disk": disk}
        with pytest.raises(OSError, match=message):
            download("landcover_ai", write_params(landcover_ai=section), tmp_path / "source")


def test_an_archive_of_another_size_is_refused_and_the_right_one_taken_afterwards(
    archive: Path, tmp_path: Path, write_params: Callable[..., Path]
) -> None:
    whole = archive.read_bytes()
    section = landcover(archive, tmp_path / "kept")
    for other in (whole[:-1], whole + b"x"):
        archive.write_bytes(other)
        with pytest.raises(OSError, match=r"mirror\.zip: md5 is \w{32}, expected \w{32}"):
            download("landcover_ai", write_params(landcover_ai=section), tmp_path / "source")
        assert not (tmp_path / "source").exists() and not list((tmp_path / "kept").iterdir())
    archive.write_bytes(whole)
    download("landcover_ai", write_params(landcover_ai=section), tmp_path / "source")
    assert (tmp_path / "source" / "index.json").exists()


def test_an_archive_without_images_is_refused(
    tmp_path: Path, write_params: Callable[..., Path]
) -> None:
    with zipfile.ZipFile(tmp_path / "mirror.zip", "w") as packed:
        packed.writestr("readme.txt", "nothing here")
    params = write_params(landcover_ai=landcover(tmp_path / "mirror.zip", tmp_path / "kept"))
    with pytest.raises(ValueError, match=r"images: no such folder"):
        download("landcover_ai", params, tmp_path / "source")
    assert not (tmp_path / "source").exists()


@pytest.mark.slow
def test_the_sample_is_rendered_into_the_same_layout(
    tmp_path: Path, write_params: Callable[..., Path]
) -> None:
    download("sample", write_params(sample=SAMPLE), tmp_path / "source")
    source = read_index(tmp_path / "source")
    assert len(source.orthophotos) == 2
    assert {path.name for path in (tmp_path / "source").iterdir()} == {
        "images",
        "masks",
        "index.json",
        "train.txt",
        "val.txt",
        "test.txt",
    }
    assert all(300 <= item.width <= 320 and item.crs == "EPSG:2180" for item in source.orthophotos)


def test_a_folder_is_indexed_where_it_lies(
    tmp_path: Path, write_params: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_raster(tmp_path / "mine" / "images" / "a.jpg", np.zeros((3, 8, 8), np.uint8), crs=None)
    write_raster(tmp_path / "mine" / "masks" / "a.png", np.zeros((3, 8, 8), np.uint8), crs=None)
    monkeypatch.setenv("MY_DATA", str(tmp_path))
    params = write_params(folder={"path": "$MY_DATA/mine", "legend": DUBAI})
    download("folder", params, tmp_path / "source")
    assert [path.name for path in (tmp_path / "source").iterdir()] == ["index.json"]
    source = read_index(tmp_path / "source")
    assert source.orthophotos[0].image == tmp_path / "mine" / "images" / "a.jpg"
    assert source.legend.palette == ((132, 41, 246), (1, 2, 3))
    assert source.legend.ignored_colours == ((0, 0, 0),)


def test_a_data_set_of_any_other_name_is_a_folder(
    tmp_path: Path, write_params: Callable[..., Path]
) -> None:
    black = np.zeros((3, 8, 8), np.uint8)
    for kind in ("images", "masks"):
        write_raster(tmp_path / "mine" / kind / "a.tif", black)
    params = write_params(loveda_2={"path": str(tmp_path / "mine"), "legend": DUBAI})
    download("loveda_2", params, tmp_path / "source")
    assert [item.name for item in read_index(tmp_path / "source").orthophotos] == ["a"]


def test_the_lists_of_a_folder_serve_the_official_split(
    tmp_path: Path, write_params: Callable[..., Path]
) -> None:
    mine = tmp_path / "mine"
    write_raster(mine / "images" / "a.tif", np.zeros((3, 32, 96), np.uint8))
    write_raster(mine / "masks" / "a.tif", np.zeros((1, 32, 96), np.uint8))
    for name, cell in (("train", "a_0"), ("val", "a_1"), ("test", "a_2"), ("notes", "x")):
        (mine / f"{name}.txt").write_text(f"{cell}\n")
    legend = DUBAI | {"mask_values": "ids", "ignored_colours": []}
    params = write_params(folder={"path": str(mine), "legend": legend})
    download("folder", params, tmp_path / "source")
    how = Tile(
        source_size=32,
        size=32,
        split="official",
        split_seed=1,
        val=0.0,
        test=0.0,
        train_truth="masks",
    )
    patches = tile(tmp_path / "source", tmp_path / "patches", how)
    assert [patch.split for patch in patches] == ["train", "val", "test"]
    assert not (tmp_path / "source" / "notes.txt").exists()


def test_a_missing_folder_is_named(tmp_path: Path, write_params: Callable[..., Path]) -> None:
    params = write_params(folder={"path": str(tmp_path / "none"), "legend": DUBAI})
    message = r"none: no such folder; a relative .*\(datasets\.folder\.download\.path\)"
    with pytest.raises(ValueError, match=message):
        download("folder", params, tmp_path / "source")


def test_a_bad_legend_is_named_by_its_key(
    tmp_path: Path, write_params: Callable[..., Path]
) -> None:
    legend = DUBAI | {"classes": [*DUBAI["classes"], {"name": "x", "colour": [256, 0, 0]}]}
    with pytest.raises(ValueError, match=r"download\.legend\.classes\.2\.colour\.0: .*got 256"):
        download(
            "folder", write_params(folder={"path": ".", "legend": legend}), tmp_path / "source"
        )


@pytest.mark.slow
def test_an_unknown_data_set_is_one_line_on_stderr(
    tmp_path: Path, write_params: Callable[..., Path]
) -> None:
    write_params(sample=SAMPLE)
    done = subprocess.run(
        [sys.executable, SRC / "download.py", "--dataset", "landcover", "--out", "source"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: params.yaml: datasets.landcover.download: no key 'landcover' in datasets "
        "(keys: sample)\n"
    )


@pytest.mark.slow
def test_a_misspelt_parameter_is_one_line_on_stderr(
    tmp_path: Path, write_params: Callable[..., Path]
) -> None:
    write_params(sample={key: value for key, value in SAMPLE.items() if key != "seed"} | {"sed": 3})
    done = subprocess.run(
        [sys.executable, SRC / "download.py", "--dataset", "sample", "--out", "source"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "error: params.yaml: datasets.sample.download.seed: is missing; "
        "datasets.sample.download.sed: is unknown (value 3)\n",
    )
    assert not (tmp_path / "source").exists()


@pytest.mark.slow
def test_the_stage_imports_no_torch() -> None:
    """download, tile and label start at once."""
    code = "import sys, download, tile, label; print('torch' in sys.modules, 'cv2' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=SRC, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False True\n"


@pytest.mark.slow
def test_the_index_is_plain_json(tmp_path: Path, write_params: Callable[..., Path]) -> None:
    download("sample", write_params(sample=SAMPLE), tmp_path / "source")
    stored = json.loads((tmp_path / "source" / "index.json").read_text())
    assert sorted(stored) == ["legend", "orthophotos"]
    assert stored["legend"]["mask_values"] == "ids"
