"""Export to ONNX, and prediction by onnxruntime."""

import filecmp
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import rasterio
import torch
import torch.nn.functional as F
from torch import Tensor

import export as script
import predict
from checkpoints import checkpoint_of, trained_network
from code_of_stage import SRC
from partialseg.engine.checkpoint import save_checkpoint
from partialseg.mapping import export
from partialseg.mapping.export import SHAPES, Deployed, export_onnx, largest_difference
from partialseg.mapping.model import TorchModel, info_of
from partialseg.mapping.onnx import OnnxModel
from partialseg.mapping.predict import stitching_of
from partialseg.models.build import build_network
from rasters import write_raster
from small_run import CPU

pytestmark = pytest.mark.slow

UNET = checkpoint_of(trained_network(), ground_sampling_distances=[0.5, 1.0], patch_size=48)


def exported(file: Path, **changes: Any) -> float:
    checkpoint = checkpoint_of(
        trained_network(
            changes.get("architecture", "unet"), changes.get("deep_supervision", False)
        ),
        **changes,
    )
    return export_onnx(checkpoint.build(), info_of(checkpoint), file, None)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the folder of a checkpoint and its dynamic export, and what the command printed."""
    folder = tmp_path_factory.mktemp("onnx")
    save_checkpoint(UNET, folder / "best.pt")
    command = [sys.executable, SRC / "export.py", "best.pt", "--out", "exported/best.onnx"]
    command.append("--dynamic")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return folder, done.stdout


@pytest.fixture(scope="module")
def unet(said: tuple[Path, str]) -> Path:
    return said[0] / "exported" / "best.onnx"


@pytest.fixture(scope="module")
def fixed(said: tuple[Path, str]) -> Path:
    """Return an export for tiles of 64 px, written by the command's function."""
    file = said[0] / "fixed" / "best.onnx"
    with pytest.MonkeyPatch.context() as patched:
        arguments = [said[0] / "best.pt", "--out", file, "--tile", "64"]
        patched.setattr(sys, "argv", ["export.py", *map(str, arguments)])
        script.main()
    return file


def test_the_command_says_how_far_the_export_is_from_torch(said: tuple[Path, str]) -> None:
    (line,) = said[1].splitlines()
    assert line.startswith("exported/best.onnx: ") and "of torch's" in line


def images(count: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(9)
    return torch.randint(256, (count, 3, height, width), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("shape", [(1, 16, 17), (2, 96, 33), (5, 48, 160), (1, 100, 100)])
def test_onnxruntime_gives_what_torch_gives(unet: Path, shape: tuple[int, int, int]) -> None:
    asked = images(*shape)
    expected = TorchModel(UNET, CPU).probabilities(asked)
    assert expected.std() > 0.01
    assert torch.allclose(OnnxModel(unet).probabilities(asked), expected, atol=1e-5)


def test_unetplusplus_with_its_heads_is_exported_too(tmp_path: Path) -> None:
    file = tmp_path / "best.onnx"
    assert exported(file, architecture="unetplusplus", deep_supervision=True) < 1e-6
    checkpoint = checkpoint_of(
        trained_network("unetplusplus", True), architecture="unetplusplus", deep_supervision=True
    )
    asked = images(2, 40, 50)
    expected = TorchModel(checkpoint, CPU).probabilities(asked)
    assert torch.allclose(OnnxModel(file).probabilities(asked), expected, atol=1e-5)


def test_the_file_carries_all_that_is_needed_to_use_it(unet: Path) -> None:
    assert OnnxModel(unet).info == info_of(UNET)
    assert os.listdir(unet.parent) == ["best.onnx"]  # the weights are inside


def test_the_plugin_of_qgis_loads_a_file_of_fixed_size(fixed: Path) -> None:
    """By the rules of Deepness 0.6.5, commit f450c634: processing/models and its dock."""
    session = onnxruntime.InferenceSession(fixed)
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    # The plugin installs onnxruntime 1.17.0 at most, which reads IR version 9 and opset 20 at most.
    model = onnx.load(fixed)
    assert (model.ir_version, [item.version for item in model.opset_import]) == (8, [18])
    # The batch and the sides go into spin boxes, so they are numbers; an output is square.
    assert taken.shape == [1, 3, 64, 64]
    assert given.shape == [1, 3, 64, 64]
    said = {
        key: json.loads(text) for key, text in session.get_modelmeta().custom_metadata_map.items()
    }
    assert said["model_type"].capitalize() == "Segmentor"
    assert [int(number) for number in said["class_names"]] == [0, 1, 2]
    assert [*said["class_names"].values()] == ["field", "house", "lake"]
    assert float(said["resolution"]) == 50  # cm, the finest of the training
    assert (said["tile_size"], said["tiles_overlap"]) == (64, 25)
    assert (said["seg_thresh"], said["seg_small_segment"]) == (0, 0)  # classes as they are


def test_a_dynamic_file_names_the_size_of_the_patches(unet: Path) -> None:
    said = {item.key: item.value for item in onnx.load(unet).metadata_props}
    assert json.loads(said["tile_size"]) == 48
    assert OnnxModel(unet).tile is None


def test_a_file_of_fixed_size_gives_what_torch_gives_on_its_tiles(fixed: Path) -> None:
    model = OnnxModel(fixed)
    assert model.tile == 64
    asked = images(3, 64, 64)
    expected = TorchModel(UNET, CPU).probabilities(asked)
    assert torch.allclose(model.probabilities(asked), expected, atol=1e-5)


def test_smaller_images_are_padded_by_their_edges(fixed: Path) -> None:
    asked = images(2, 40, 50)
    padded = F.pad(asked.float(), (0, 14, 0, 24), "replicate").to(torch.uint8)
    expected = TorchModel(UNET, CPU).probabilities(padded)[..., :40, :50]
    found = OnnxModel(fixed).probabilities(asked)
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=1e-5)


def test_the_file_names_no_path_of_whoever_exported_it(unet: Path) -> None:
    content = unet.read_bytes()
    assert b"MatMul" in content
    assert b".py" not in content


def test_an_export_leaves_the_network_as_it_was_and_gives_the_same_bytes_again(
    unet: Path, tmp_path: Path
) -> None:
    network = UNET.build().double().train()
    assert export_onnx(network, info_of(UNET), tmp_path / "again.onnx", None) < 1e-6
    assert network.training
    assert next(network.parameters()).dtype == torch.float64
    assert filecmp.cmp(tmp_path / "again.onnx", unet, shallow=False)


def test_onnxruntime_gives_the_same_map(
    unet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bands = np.random.default_rng(6).integers(0, 256, (3, 60, 80), np.uint8)
    image = write_raster(tmp_path / "a.tif", bands)
    checkpoint = unet.parents[1] / "best.pt"
    maps = []
    for out, how in (("t", [checkpoint, "--precision", "float32"]), ("o", [unet, "--onnx"])):
        options = ["--out", tmp_path / out, "--tta", "flips", "--probabilities"]
        monkeypatch.setattr(sys, "argv", ["predict.py", *map(str, [*how, image, *options])])
        predict.main()
        with rasterio.open(tmp_path / out / "a_probabilities.tif") as raster:
            maps.append(raster.read().astype(int))
    by_torch, by_onnx = maps
    assert np.ptp(by_torch) > 10
    assert np.abs(by_torch - by_onnx).max() <= 1


def test_a_map_by_a_file_of_fixed_size_has_its_tiles(
    fixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bands = np.random.default_rng(6).integers(0, 256, (3, 150, 90), np.uint8)
    image = write_raster(tmp_path / "a.tif", bands)
    maps = []
    torch_way = [fixed.parents[1] / "best.pt", "--precision", "float32", "--tile", "64"]
    for out, how in (("t", torch_way), ("o", [fixed, "--onnx"])):
        options = ["--out", tmp_path / out, "--probabilities"]
        monkeypatch.setattr(sys, "argv", ["predict.py", *map(str, [*how, image, *options])])
        predict.main()
        with rasterio.open(tmp_path / out / "a_probabilities.tif") as raster:
            maps.append(raster.read().astype(int))
    assert np.ptp(maps[0]) > 10
    assert np.abs(maps[0] - maps[1]).max() <= 1


def test_another_tile_than_that_of_the_file_is_refused(fixed: Path) -> None:
    model = OnnxModel(fixed)
    assert stitching_of(model, None, None, 4).tile == 64
    assert stitching_of(model, 64, 16, 4).overlap == 16
    for tile in (96, 0):
        message = rf"^tile: this file takes tiles of 64 px alone, got {tile}; "
        with pytest.raises(ValueError, match=message):
            stitching_of(model, tile, None, 4)


def test_a_tile_of_0_is_no_default() -> None:
    with pytest.raises(ValueError, match=r"^tile 0 px must be at least 16$"):
        stitching_of(TorchModel(UNET, CPU), 0, 0, 4)


@pytest.mark.parametrize("tile", [0, 8, 100, -16])
def test_a_tile_that_the_network_cannot_halve_is_refused(tile: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^tile: must be a multiple of 16 px, got {tile}$"):
        export_onnx(UNET.build(), info_of(UNET), tmp_path / "a.onnx", tile)
    assert os.listdir(tmp_path) == []


def test_a_network_of_unknown_pixel_size_names_no_resolution() -> None:
    info = info_of(checkpoint_of(trained_network(), ground_sampling_distances=[]))
    assert "resolution" not in export.metadata(info, None)


def test_another_network_is_noticed(unet: Path) -> None:
    """Of other weights, and of a class more."""
    network = UNET.build()
    assert largest_difference(Deployed(network, info_of(UNET)).eval(), unet, SHAPES) < 1e-6
    with torch.no_grad():
        network.head.bias[0] += 1
    assert largest_difference(Deployed(network, info_of(UNET)).eval(), unet, SHAPES) > 0.1
    more = build_network("unet", 3, 4, 2)
    assert largest_difference(Deployed(more, info_of(UNET)).eval(), unet, SHAPES) == math.inf


def test_an_export_that_computes_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "largest_difference", lambda *_: 0.25)
    with pytest.raises(ValueError, match=r"best\.onnx: the export differs .* by 0\.25 .* 0\.0001"):
        exported(tmp_path / "best.onnx")
    assert os.listdir(tmp_path) == []


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"best\.pt: the suffix must be \.onnx"):
        exported(tmp_path / "best.pt")


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_damaged_file_is_named(unet: Path, tmp_path: Path, share: float) -> None:
    content = unet.read_bytes()
    (tmp_path / "a.onnx").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"a\.onnx: (missing or damaged|no) ONNX file"):
        OnnxModel(tmp_path / "a.onnx")


def test_a_missing_file_and_one_of_another_origin_are_named(unet: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.onnx: missing or damaged ONNX file"):
        OnnxModel(tmp_path / "none.onnx")
    foreign = onnx.load(unet)
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    with pytest.raises(ValueError, match=r"foreign\.onnx: no ONNX file of src/export\.py"):
        OnnxModel(tmp_path / "foreign.onnx")


def said_otherwise(unet: Path, file: Path, old: str, new: str) -> Path:
    """Write the exported file with its own metadata changed."""
    changed = onnx.load(unet)
    (own,) = (item for item in changed.metadata_props if item.key == export.METADATA)
    assert old in own.value
    own.value = own.value.replace(old, new)
    onnx.save(changed, file)
    return file


@pytest.mark.parametrize(
    "new", ['"patch_size":"48"', '"patch_size":48.5', '"patch_size":48,"more":1', '"patch":48', "{"]
)
def test_metadata_of_another_form_are_refused(unet: Path, tmp_path: Path, new: str) -> None:
    file = said_otherwise(unet, tmp_path / "a.onnx", '"patch_size":48', new)
    with pytest.raises(ValueError, match=r"a\.onnx: no ONNX file of src/export\.py"):
        OnnxModel(file)


def test_metadata_with_a_class_more_are_refused(unet: Path, tmp_path: Path) -> None:
    file = said_otherwise(unet, tmp_path / "a.onnx", '"lake"', '"lake","sea"')
    with pytest.raises(ValueError, match=r"a\.onnx: 3 channels for 4 classes: .*'sea'"):
        OnnxModel(file)


@pytest.mark.parametrize(("old", "new"), [(b"Softmax", b"Softmix"), (b"Softmax", b"Softm\xffx")])
def test_a_file_with_damaged_names_is_named(
    unet: Path, tmp_path: Path, old: bytes, new: bytes
) -> None:
    content = unet.read_bytes()
    assert old in content
    (tmp_path / "a.onnx").write_bytes(content.replace(old, new))
    with pytest.raises(ValueError, match=r"a\.onnx: missing or damaged ONNX file"):
        OnnxModel(tmp_path / "a.onnx")


def test_a_device_that_onnxruntime_lacks_is_named(unet: Path) -> None:
    with pytest.raises(ValueError, match="device 'tpu': this onnxruntime has none of this name"):
        OnnxModel(unet, "tpu")
