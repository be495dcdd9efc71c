"""OpenVINO, where it is installed (requirements-openvino.txt), against torch in float32."""

import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from torch import Tensor

pytest.importorskip("openvino")

import predict
from checkpoints import checkpoint_of
from mapping_models import network_model
from partialseg.engine.checkpoint import Checkpoint, save_checkpoint
from partialseg.mapping.export import export_onnx
from partialseg.mapping.model import Averaged, TorchModel, info_of
from partialseg.mapping.openvino import OpenVinoModel, check_type
from partialseg.mapping.runtime import load_model
from partialseg.models.build import build_network
from rasters import write_raster
from small_run import CPU

pytestmark = pytest.mark.slow  # compiles networks


def noisy_checkpoint(architecture: str = "unet", deep_supervision: bool = False) -> Checkpoint:
    """Return a network of random weights whose BatchNorm has seen noise: its classes are mixed."""
    torch.manual_seed(4)
    network = build_network(architecture, 3, 3, 2, deep_supervision).train()
    for _ in range(20):
        network(torch.randn(2, 3, 64, 64))
    return checkpoint_of(network, architecture=architecture, deep_supervision=deep_supervision)


def images(count: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(9)
    coarse = torch.randint(256, (count, 3, height, width), generator=generator).float()
    return torch.nn.functional.avg_pool2d(coarse, 5, 1, 2).to(torch.uint8)


@pytest.mark.parametrize(
    ("architecture", "deep_supervision"),
    [("unet", False), ("unetplusplus", False), ("unetplusplus", True)],
)
def test_float32_gives_what_torch_gives(architecture: str, deep_supervision: bool) -> None:
    checkpoint = noisy_checkpoint(architecture, deep_supervision)
    model = OpenVinoModel.of_checkpoint(checkpoint, torch.float32)
    by_torch = TorchModel(checkpoint, CPU)
    for shape in ((1, 96, 64), (3, 64, 96), (2, 50, 37), (1, 16, 17)):
        asked = images(*shape)
        expected = by_torch.probabilities(asked)
        found = model.probabilities(asked)
        assert found.shape == expected.shape
        assert torch.allclose(found, expected, atol=1e-5)
        equal = found.argmax(dim=1) == expected.argmax(dim=1)
        assert equal.float().mean() >= 0.999
    assert expected.std() > 0.01
    assert model.info == info_of(checkpoint)


def test_a_batch_gives_what_its_images_give() -> None:
    """Results lie in memory of OpenVINO's that is used again."""
    model = OpenVinoModel.of_checkpoint(noisy_checkpoint(), torch.float32)
    asked = images(3, 32, 48)
    found = model.probabilities(asked)
    again = torch.cat([model.probabilities(image) for image in asked.split(1)])
    assert torch.equal(found, again)
    assert not torch.allclose(found[0], found[1], atol=1e-3)


def test_sizes_may_come_in_any_order() -> None:
    """More of them than are kept compiled."""
    checkpoint = noisy_checkpoint()
    model, by_torch = (
        OpenVinoModel.of_checkpoint(checkpoint, torch.float32),
        TorchModel(checkpoint, CPU),
    )
    for side in (32, 48, 64, 32, 48):
        asked = images(1, side, 32)
        expected = by_torch.probabilities(asked)
        assert torch.allclose(model.probabilities(asked), expected, atol=1e-5)


def test_views_are_averaged() -> None:
    checkpoint = noisy_checkpoint()
    asked = images(1, 48, 32)
    found, expected = (
        Averaged(model, "all").probabilities(asked)
        for model in (
            OpenVinoModel.of_checkpoint(checkpoint, torch.float32),
            TorchModel(checkpoint, CPU),
        )
    )
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("tile", [None, 64])
def test_onnx_files_of_both_kinds_run_too(tile: int | None, tmp_path: Path) -> None:
    checkpoint = noisy_checkpoint()
    export_onnx(checkpoint.build(), info_of(checkpoint), tmp_path / "a.onnx", tile)
    model = load_model(tmp_path / "a.onnx", True, "auto", "", "float32")
    assert isinstance(model, OpenVinoModel)
    assert (model.tile, model.info) == (tile, info_of(checkpoint))
    asked = images(2, 64, 64)
    expected = TorchModel(checkpoint, CPU).probabilities(asked)
    assert torch.allclose(model.probabilities(asked), expected, atol=1e-5)
    assert model.probabilities(asked[..., :50, :37]).shape == (2, 3, 50, 37)


def test_a_file_that_is_no_onnx_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_text("no network")
    with pytest.raises(ValueError, match=r"a\.onnx: missing or damaged ONNX file"):
        load_model(tmp_path / "a.onnx", True, "openvino", "cpu", "float32")


def test_a_type_that_the_processor_lacks_is_refused() -> None:
    """OpenVINO would compute in another one without a word."""
    check_type(torch.float32, ["FP32", "INT8"])
    check_type(torch.bfloat16, ["FP32", "BF16"])
    message = "^precision: this processor has no bfloat16 for OpenVINO; take auto or float32$"
    with pytest.raises(ValueError, match=message):
        check_type(torch.bfloat16, ["FP32", "INT8"])


def test_nothing_is_reported_to_anybody() -> None:
    """With openvino_telemetry, each import of openvino is."""
    assert sys.modules["openvino_telemetry"] is None
    from openvino.tools.ovc import telemetry_stub, telemetry_utils

    assert telemetry_utils.tm is telemetry_stub


def test_the_command_takes_openvino_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = noisy_checkpoint()
    save_checkpoint(checkpoint, tmp_path / "best.pt")
    bands = images(1, 150, 90)[0].numpy()
    image = write_raster(tmp_path / "a.tif", bands)
    maps = []
    for runtime in ("auto", "torch"):
        options = ["--out", tmp_path / runtime, "--runtime", runtime, "--device", "cpu"]
        options += ["--precision", "float32", "--tile", 64, "--overlap", 16, "--probabilities"]
        arguments = [tmp_path / "best.pt", image, *options]
        monkeypatch.setattr(sys, "argv", ["predict.py", *map(str, arguments)])
        predict.main()
        with rasterio.open(tmp_path / runtime / "a_probabilities.tif") as raster:
            maps.append(raster.read().astype(int))
            said = raster.tags()["runtime"]
        assert said.startswith("torch" if runtime == "torch" else "OpenVINO 2026.")
        assert said.endswith(", CPU, float32")
        assert f" s by {said}: a_classes.tif" in capsys.readouterr().out
    assert np.ptp(maps[0]) > 10
    assert np.abs(maps[0] - maps[1]).max() <= 1
    assert network_model().runtime.startswith("torch")
