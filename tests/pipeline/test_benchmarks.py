"""What the benchmarks compute besides the time."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
import torch
from torch import Tensor, nn

import agreement
import full_size
import gpu
import orthophoto
import synthetic
import tiling
import train_step
from mapping_models import Brightness
from partialseg.engine.curves import EpochRecord
from partialseg.models.build import ARCHITECTURES
from rasters import draw_orthophoto, write_raster
from timing import interleave


class Clock:
    """A clock that stands still unless somebody works."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def __call__(self) -> float:
        return self.now

    def work(self, name: str, *seconds: float) -> object:
        left = list(seconds)

        def run() -> None:
            self.order.append(name)
            self.now += left.pop(0)

        return run


def test_sides_run_in_turns_and_the_median_leaves_warm_ups_out() -> None:
    clock = Clock()
    sides = {"a": clock.work("a", 90, 1, 7, 2), "b": clock.work("b", 80, 5, 4, 30)}
    assert interleave(sides, 3, warm_ups=1, clock=clock) == {"a": 2, "b": 5}
    assert "".join(clock.order) == "abababab"


def test_the_official_loop_counts_partial_cells_and_keeps_colours(tmp_path: Path) -> None:
    bands, ids = draw_orthophoto(np.random.default_rng(4), 70, 110)
    image = bands.transpose(1, 2, 0)
    synthetic.write_tiff(tmp_path / "images" / "a.tif", image, "strips")
    synthetic.write_tiff(tmp_path / "masks" / "a.tif", ids[0], "strips")
    assert tiling.official_loop(tmp_path, tmp_path / "out", 32) == 6
    # 110 px are 3 whole cells of 32 and a partial one, so row 1 begins at k = 4.
    names = {f"a_{k}{end}" for k in (0, 1, 2, 4, 5, 6) for end in (".jpg", "_m.png")}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names
    mask = cv2.imread(str(tmp_path / "out" / "a_5_m.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, np.dstack([ids[0, 32:64, 32:64]] * 3))
    cell = cv2.imread(str(tmp_path / "out" / "a_5.jpg"))[..., ::-1].astype(float)
    assert np.abs(cell - image[32:64, 32:64]).mean() < 20  # noise through a JPEG


@pytest.mark.slow
@pytest.mark.parametrize("layout", synthetic.FORMATS)
def test_all_sides_cut_the_same_number_of_patches(
    layout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiling.write_source(tmp_path, layout, 300, 350)
    for side in tiling.SIDES:
        tiling.measure(side, tmp_path, 64, 48)
    runs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [run["patches"] for run in runs] == [20, 20, 20]
    assert all(run["seconds"] > 0 and run["MiB"] > 10 for run in runs)


def test_a_rendered_orthophoto_is_mirrored_to_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "PIECE", 256)
    image, ids = synthetic.render(300, 520)
    assert (image.shape, ids.shape) == ((300, 520, 3), (300, 520))
    np.testing.assert_array_equal(image[:256, 256:512], image[:256, 255::-1])
    np.testing.assert_array_equal(ids[256:], ids[255:211:-1])


def test_operations_of_a_convolution_are_those_counted_by_hand() -> None:
    network = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    forward = 2 * 16 * 16 * 8 * 3 * 9
    # The images need no gradient, so the backward pass has that of the weights alone.
    assert train_step.gflop_of_a_step(network, 16) == pytest.approx(2 * forward / 1e9)
    assert next(network.parameters()).device.type == "cpu"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_plain_network_computes_what_ours_does(architecture: str) -> None:
    torch.manual_seed(1)
    plain = train_step.plain_network(architecture, 4).eval()
    ours = train_step.build_network(architecture, 3, train_step.CLASSES, 4).eval()
    ours.load_state_dict(plain.state_dict())
    images = torch.randn(1, 3, 32, 48)
    torch.testing.assert_close(ours(images), plain(images))


@pytest.mark.slow
def test_both_ways_to_a_map_cover_the_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orthophoto.write_orthophoto(tmp_path / "a.tif", 520, 700, "tiled deflate")
    orthophoto.write_checkpoint(tmp_path / "best.pt", "unet", 2)
    orthophoto.plain_loop(tmp_path)
    with (
        rasterio.open(tmp_path / "a.tif") as image,
        rasterio.open(tmp_path / "plain loop.tif") as made,
    ):
        assert (made.shape, made.transform, made.count) == (image.shape, image.transform, 1)
        assert made.read(1).max() < 5
    orthophoto.network_alone(tmp_path)
    assert min(json.loads(capsys.readouterr().out).values()) > 0
    command = orthophoto.command_of(orthophoto.OURS, tmp_path)
    assert Path(command[1]).is_file() and command[2:4] == [
        str(tmp_path / "best.pt"),
        str(tmp_path / "a.tif"),
    ]
    earlier = orthophoto.command_of(orthophoto.EARLIER, tmp_path, tmp_path / "earlier")
    assert earlier[1] == str(tmp_path / "earlier" / "src" / "predict.py")


def test_what_a_side_costs_is_measured_in_its_process() -> None:
    busy = "x = bytearray(80 * 2**20); sum(range(3_000_000))"
    cost = orthophoto.measure([sys.executable, "-c", busy])
    assert 0.01 < cost.cpu_seconds <= 2 * cost.seconds
    assert 80 < cost.mebibytes < 200
    printed = 'print(\'{"seconds": 2.5, "cpu_seconds": 4.0}\')'
    told = orthophoto.measure([sys.executable, "-c", printed])
    assert (told.seconds, told.cpu_seconds) == (2.5, 4.0)


class Brighter(Brightness):
    """Sees red as 30 brighter than it is."""

    def probabilities(self, images: Tensor) -> Tensor:
        return super().probabilities(images.float() + 30)


def test_pixels_of_another_class_are_counted(tmp_path: Path) -> None:
    """Red 100 becomes bright, 200 is it already, 50 stays dark."""
    image = np.full((3, 40, 50), 200, np.uint8)
    image[0, :10] = 100
    image[0, 10:14] = 50
    write_raster(tmp_path / "a.tif", image)
    found = agreement.compare(Brightness(), Brighter(), [tmp_path / "a.tif"] * 2)
    assert (found.pixels, found.other_class) == (2 * 40 * 50, 2 * 10 * 50)
    assert found.largest == pytest.approx(30 / 255)
    assert found.row()["same class"] == "75.0000%"


def test_costs_of_two_sizes_are_compared_by_the_patch(tmp_path: Path) -> None:
    earlier = [
        {"command": "check", "patches": 0, "CPU s": "4.0"},
        {"command": "train", "patches": 100, "CPU s": "10.0"},
    ]
    output = tmp_path / "tenth.txt"
    output.write_text("archive: 0.1 GiB\n" + "".join(json.dumps(row) + "\n" for row in earlier))
    rows: list[dict[str, object]] = [
        {"command": "check", "patches": 0, "CPU s": "4.0"},
        {"command": "train", "patches": 1000, "CPU s": "150.0"},
        {"command": "report", "patches": 1000, "CPU s": "1.0"},
    ]
    made = full_size.compared(rows, output)
    assert [row["times the cost a patch"] for row in made] == ["", "1.50", ""]
    assert made[1]["CPU s"] == "150.0"


def epoch_of(number: int, speed: float, seconds: float, skipped: int = 0) -> EpochRecord:
    return EpochRecord(
        epoch=number,
        train_loss=2.0,
        val_loss=1.0,
        val_miou=0.5,
        val_accuracy=0.5,
        val_batch_miou=0.5,
        seconds=seconds,
        images_per_second=speed,
        loader_share=0.25,
        skipped_steps=skipped,
        peak_memory_mib=100.0 * number,
    )


def test_the_hours_of_a_gpu_are_extrapolated_without_the_first_epoch() -> None:
    epochs = [epoch_of(1, 1, 100, skipped=3), epoch_of(2, 10, 12), epoch_of(3, 10, 12)]
    row = gpu.row_of(gpu.TRAININGS[0], epochs, {"train": 100, "val": 20}, first_loss=1.6)
    # 100 patches at 10 images/s take 10 of the 12 s, so that scoring takes 0.1 s a patch.
    minutes = row.pop("12 epochs of LandCover.ai, minutes, extrapolated")
    assert minutes == pytest.approx(12 * (7470 / 10 + 1602 * 0.1) / 60)
    assert row == {
        "training": "unet",
        "epochs": 3,
        "images/s": 10,
        "waiting for patches": "25.0%",
        "peak MiB": 300,
        "loss of epoch 1, relative change": pytest.approx(0.25),
        "steps that overflowed": 3,
    }
