import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from partialseg.core.params import load_section
from partialseg.training.methods.gated_crf import GatedCrf, gated_crf, potts_energy

SECTION = {"weight": 0.1, "radius": 2, "sigma_xy": 1.5, "sigma_rgb": 40.0, "stride": 1}


def params_of(**changes: Any) -> GatedCrf:
    return GatedCrf(**{**SECTION, **changes})


def random_batch(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return logits (2, 4, H, W) and images (2, 3, H, W) in 0..255."""
    generator = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(2, 4, height, width, generator=generator)
    return logits, torch.randint(0, 256, (2, 3, height, width), generator=generator).float()


def sure(ids: Tensor, classes: int) -> Tensor:
    """Return logits (N, C, H, W) whose softmax is 0 and 1."""
    return 1e4 * torch.nn.functional.one_hot(ids, classes).movedim(-1, 1).float()


def averaged(values: NDArray[np.float64], stride: int) -> NDArray[np.float64]:
    """Return the means (N, C, h, w) of stride x stride cells; the last ones may be smaller."""
    height, width = values.shape[-2:]
    rows = [
        [
            values[..., y : y + stride, x : x + stride].mean(axis=(-2, -1))
            for x in range(0, width, stride)
        ]
        for y in range(0, height, stride)
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def pixel_by_pixel(logits: Tensor, images: Tensor, params: GatedCrf) -> float:
    """Return the loss by its definition: loops over pixels and their windows."""
    p = averaged(logits.double().softmax(dim=1).numpy(), params.stride)
    colours = averaged(images.double().numpy(), params.stride)
    count, _, height, width = p.shape
    reach = range(-params.radius, params.radius + 1)
    total = 0.0
    for n, y, x in itertools.product(range(count), range(height), range(width)):
        for dy, dx in itertools.product(reach, reach):
            if (dy, dx) == (0, 0) or not (0 <= y + dy < height and 0 <= x + dx < width):
                continue
            colour = ((colours[n, :, y, x] - colours[n, :, y + dy, x + dx]) ** 2).sum()
            exponent = (dy**2 + dx**2) / params.sigma_xy**2 + colour / params.sigma_rgb**2
            differ = 1 - (p[n, :, y, x] * p[n, :, y + dy, x + dx]).sum()
            total += math.exp(-exponent / 2) * differ
    return total / (count * height * width)


def test_the_loss_of_two_pixels_is_that_of_the_hand_computed_case() -> None:
    logits = torch.tensor([[0.75, 0.5], [0.25, 0.5]]).log()[None, :, None, :]
    images = torch.tensor([[10.0, 40.0], [20.0, 20.0], [50.0, 90.0]])[None, :, None, :]
    # Neighbours; colours 30, 0 and 40 apart: 50. Each of the two pixels has one other.
    kernel = math.exp(-1 / (2 * 1.5**2) - 50**2 / (2 * 40**2))
    expected = kernel * (1 - (0.75 * 0.5 + 0.25 * 0.5))
    loss = gated_crf(logits, images, params_of())
    assert loss.shape == ()
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_cells_of_the_reduced_grid_are_means() -> None:
    p = torch.tensor([[1.0, 0.5, 0.25, 0.0]])  # class 0; cells 0.75 and 0.125
    logits = torch.cat([p, 1 - p]).log()[None, :, None, :].expand(1, 2, 2, 4)
    images = torch.tensor([10.0, 30.0, 50.0, 70.0]).expand(1, 3, 2, 4)  # cells 20 and 60
    kernel = math.exp(-1 / (2 * 1.5**2) - 3 * 40**2 / (2 * 40**2))
    expected = kernel * (1 - (0.75 * 0.125 + 0.25 * 0.875))
    assert float(gated_crf(logits, images, params_of(stride=2))) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("height", "width", "changes"),
    [
        (5, 6, {}),
        (6, 5, {"radius": 1, "sigma_rgb": 200.0}),
        (3, 4, {"radius": 9}),  # the window is larger than the image
        (1, 5, {"radius": 2}),
        (8, 12, {"stride": 2}),
        (7, 10, {"stride": 3, "sigma_xy": 0.7}),  # the edge cuts cells
        (4, 4, {"stride": 5}),  # one cell
    ],
)
def test_it_is_that_of_loops_over_pixels(height: int, width: int, changes: dict[str, Any]) -> None:
    logits, images = random_batch(height, width)
    params = params_of(**changes)
    expected = pixel_by_pixel(logits, images, params)
    assert expected > 0 or changes == {"stride": 5}
    assert float(gated_crf(logits, images, params)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_one_sure_class_everywhere_costs_nothing(stride: int) -> None:
    _, images = random_batch(8, 8)
    logits = sure(torch.full((2, 8, 8), 3), 4).requires_grad_()
    loss = gated_crf(logits, images, params_of(stride=stride))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_doubt_costs_even_where_it_is_the_same_everywhere() -> None:
    images = torch.full((1, 3, 1, 2), 90.0)
    # Two pixels of p = (1/4, 1/4, 1/4, 1/4) differ by a chance of 3/4.
    expected = math.exp(-1 / (2 * 1.5**2)) * 3 / 4
    loss = gated_crf(torch.zeros(1, 4, 1, 2), images, params_of())
    assert float(loss) == pytest.approx(expected)


def test_a_border_on_a_border_of_colours_costs_less() -> None:
    columns = torch.arange(12).expand(1, 12, 12)
    images = torch.where(columns < 6, 40.0, 200.0)[:, None].expand(1, 3, 12, 12)
    on, beside = (sure((columns >= column).long(), 2) for column in (6, 5))
    params = params_of()
    # Across the border colours differ by sqrt(3) * 160: exp(-24) of the cost is left.
    assert float(gated_crf(on, images, params)) < 1e-9
    assert float(gated_crf(beside, images, params)) > 0.1


def test_the_gradient_draws_an_unsure_pixel_to_its_likes() -> None:
    images = torch.tensor([40.0, 40.0, 200.0]).expand(1, 3, 1, 3)
    logits = sure(torch.tensor([[[0, 0, 1]]]), 2)
    logits[..., 1] = 0.0  # between a like pixel of class 0 and another of class 1
    logits.requires_grad_()
    gated_crf(logits, images, params_of(radius=1)).backward()
    assert logits.grad is not None
    of_class_0, of_class_1 = logits.grad[0, :, 0, 1].tolist()
    # Both neighbours' pairs count twice over three pixels; p q is the slope of the softmax.
    expected = 2 / 3 * math.exp(-1 / (2 * 1.5**2)) * 0.25
    assert (of_class_0, of_class_1) == pytest.approx((-expected, expected))


def test_pixels_without_an_image_have_no_part_in_it() -> None:
    logits, images = random_batch(6, 9)
    images[..., 4:] = 0  # the cell of the columns 4 and 5 is black as a whole, those after it too
    alone = gated_crf(logits[..., :4], images[..., :4], params_of(stride=2))
    loss = gated_crf(logits.requires_grad_(), images, params_of(stride=2))
    assert loss.item() == pytest.approx(float(alone) * 2 / 5)  # the mean is over five columns
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[..., :4].any() and not logits.grad[..., 4:].any()


def test_a_cell_that_is_black_in_part_has_no_part_in_it() -> None:
    logits, images = random_batch(4, 4)
    images[:, :, :2, 1] = 0
    loss = gated_crf(logits.requires_grad_(), images, params_of(stride=2))
    loss.backward()
    assert logits.grad is not None
    assert not logits.grad[:, :, :2, :2].any()
    assert logits.grad[:, :, 2:].any() and logits.grad[:, :, :2, 2:].any()


@pytest.mark.parametrize("side", [6, 40])
def test_the_value_is_a_mean_over_pixels(side: int) -> None:
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    logits = sure((rows + columns).remainder(2)[None], 2).expand(2, 2, side, side)
    images = torch.full((2, 3, side, side), 70.0)
    # A chessboard: of the 8 neighbours the 4 at the sides differ, fewer at the edge.
    pairs = 2 * side * (side - 1)
    expected = 2 * pairs * math.exp(-1 / (2 * 1.5**2)) / side**2
    loss = gated_crf(logits, images, params_of(radius=1))
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"stride": 2}, {"radius": 1, "stride": 3}])
def test_the_slopes_are_those_of_finite_differences(changes: dict[str, Any]) -> None:
    logits, images = random_batch(4, 5)
    values = logits[:1].double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda values: potts_energy(
            values.softmax(dim=1), images[:1].double(), params_of(**changes)
        ),
        values,
    )


def test_every_pixel_has_a_gradient() -> None:
    logits, images = random_batch(9, 8)
    logits.requires_grad_()
    gated_crf(logits, images, params_of(stride=2, sigma_rgb=200.0)).backward()
    assert logits.grad is not None
    assert (logits.grad != 0.0).any(dim=1).all()


def test_bfloat16_logits_give_the_loss_of_their_float32_values() -> None:
    logits, images = random_batch(6, 6)
    half = logits.bfloat16().requires_grad_()
    loss = gated_crf(half, images, params_of())
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.equal(loss, gated_crf(half.float(), images, params_of()))
    assert half.grad is not None and half.grad.dtype == torch.bfloat16 and half.grad.any()


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("weight", "-0.1", "should be greater than or equal to 0, got -0.1"),
        ("weight", ".inf", "should be a finite number, got inf"),
        ("radius", "0", "should be greater than 0, got 0"),
        ("radius", "2.5", "should be a valid integer, got 2.5"),
        ("sigma_xy", "0.0", "should be greater than 0, got 0.0"),
        ("sigma_rgb", "-1.0", "should be greater than 0, got -1.0"),
        ("stride", "0", "should be greater than 0, got 0"),
        ("sigma", "3.0", "is unknown"),
    ],
)
def test_other_values_are_refused(tmp_path: Path, key: str, value: str, rule: str) -> None:
    file = tmp_path / "params.yaml"
    section = {name: str(number) for name, number in SECTION.items()} | {key: value}
    lines = [f"  {name}: {number}" for name, number in section.items()]
    file.write_text("\n".join(["gated_crf:", *lines]))
    with pytest.raises(ValueError, match=rf"params\.yaml: gated_crf\.{key}: {rule}"):
        load_section(file, "gated_crf", GatedCrf)


def test_a_weight_of_zero_is_a_value_like_others(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    lines = [f"  {name}: {number}" for name, number in {**SECTION, "weight": 0}.items()]
    file.write_text("\n".join(["gated_crf:", *lines]))
    assert load_section(file, "gated_crf", GatedCrf) == params_of(weight=0.0)
