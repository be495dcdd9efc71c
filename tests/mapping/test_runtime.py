"""Which runtime is chosen, and what is said where there is none."""

import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

from checkpoints import checkpoint_of, trained_network
from mapping_models import PLAIN, Brightness
from partialseg.engine.checkpoint import save_checkpoint
from partialseg.mapping import runtime
from partialseg.mapping.maps import Wanted, predict
from partialseg.mapping.model import TorchModel
from partialseg.mapping.predict import stitching_of
from partialseg.mapping.rasters import Predictor
from partialseg.mapping.runtime import Runtime, choose_runtime, load_model
from partialseg.mapping.tiles import Stitching
from rasters import write_raster

INSTALL = r"pip install --no-deps -r requirements-openvino\.txt"


def installed(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(runtime, "find_spec", lambda _: there or None)


@pytest.mark.parametrize("other", ["torch", "onnxruntime"])
def test_a_cpu_that_has_openvino_takes_it(other: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, True)
    assert choose_runtime("auto", other, on_cpu=True) == "openvino"
    assert choose_runtime("auto", other, on_cpu=False) == other
    assert choose_runtime("openvino", other, on_cpu=True) == "openvino"
    assert choose_runtime(other, other, on_cpu=True) == other
    installed(monkeypatch, False)
    assert choose_runtime("auto", other, on_cpu=True) == other


@pytest.mark.parametrize(
    ("asked", "other", "on_cpu", "there", "message"),
    [
        (
            "tensorrt",
            "torch",
            True,
            True,
            "^runtime: must be one of auto, torch, openvino, onnxruntime, got 'tensorrt'$",
        ),
        ("openvino", "torch", True, False, f"^runtime: openvino is not installed: {INSTALL}$"),
        ("openvino", "torch", False, True, "^runtime: openvino computes on the CPU alone; add"),
        (
            "onnxruntime",
            "torch",
            True,
            True,
            "^runtime: a checkpoint runs in torch or openvino, got onnxruntime$",
        ),
        (
            "torch",
            "onnxruntime",
            True,
            True,
            "^runtime: an ONNX file runs in onnxruntime or openvino, got torch$",
        ),
    ],
)
def test_what_cannot_run_is_refused(
    asked: str,
    other: Runtime,
    on_cpu: bool,
    there: bool,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(monkeypatch, there)
    with pytest.raises(ValueError, match=message):
        choose_runtime(asked, other, on_cpu)


def test_an_openvino_that_does_not_start_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(checkpoint_of(trained_network()), tmp_path / "best.pt")
    installed(monkeypatch, True)
    monkeypatch.delitem(sys.modules, "partialseg.mapping.openvino", raising=False)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ValueError, match=f"^runtime: openvino does not start: .*: {INSTALL}$"):
        load_model(tmp_path / "best.pt", False, "auto", "cpu", "float32")


def test_the_runtime_is_checked_before_the_checkpoint_is_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^runtime: a checkpoint runs in torch or openvino"):
        load_model(tmp_path / "none.pt", False, "onnxruntime", "cpu", "auto")


def test_onnxruntime_has_no_half_precision(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"^precision: onnxruntime computes in float32, got bfloat16$"
    ):
        load_model(tmp_path / "a.onnx", True, "onnxruntime", "", "bfloat16")


def test_torch_says_what_it_is(tmp_path: Path) -> None:
    save_checkpoint(checkpoint_of(trained_network()), tmp_path / "best.pt")
    model = load_model(tmp_path / "best.pt", False, "torch", "cpu", "float32")
    assert isinstance(model, TorchModel)
    assert model.runtime.startswith("torch 2.") and model.runtime.endswith(", CPU, float32")
    assert not model.on_gpu
    assert stitching_of(model, None, None, None).batch_size == 1


def test_the_runtime_stands_in_the_metadata_of_each_map(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "a.tif", np.zeros((3, 40, 60), np.uint8))
    wanted = Wanted(
        probabilities=True, entropy=True, polygons=False, areas=False, overlay=False, min_area=0
    )
    stitching = Stitching(tile=64, overlap=16, batch_size=4)
    predict(Predictor(Brightness(), PLAIN, stitching), image, tmp_path / "maps", wanted)
    for name in ("classes", "probabilities", "entropy"):
        with rasterio.open(tmp_path / "maps" / f"a_{name}.tif") as raster:
            tags = raster.tags()
        assert tags["runtime"] == "arithmetic"
        assert tags["commit"] == "0123456789"
