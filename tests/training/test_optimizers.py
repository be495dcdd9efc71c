import math

import pytest
import torch
from torch import Tensor, nn

from partialseg.models.build import build_network
from partialseg.training.optimizers import Muon, Together, make_optimizer, orthogonal
from small_run import train_params


def scalar(value: float) -> float:
    """What becomes of a singular value."""
    for _ in range(5):
        value = 3.4445 * value - 4.7750 * value**3 + 2.0315 * value**5
    return value


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_adam_and_adamw_are_those_of_torch(optimizer: str) -> None:
    params = train_params(optimizer=optimizer, learning_rate=0.1, weight_decay=0.5)
    ours, theirs = nn.Parameter(torch.tensor([2.0])), nn.Parameter(torch.tensor([2.0]))
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optimizer]
    made = make_optimizer(nn.ParameterList([ours]), params)
    for weight, stepper in ((ours, made), (theirs, kind([theirs], lr=0.1, weight_decay=0.5))):
        for _ in range(3):
            weight.grad = torch.tensor([0.3])
            stepper.step()
    assert type(made) is kind
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("architecture", ["unet", "unetplusplus"])
def test_muon_trains_the_kernels_and_adamw_biases_norms_and_heads(architecture: str) -> None:
    network = build_network(architecture, 3, 2, 2, deep_supervision=True)
    params = train_params(optimizer="muon", learning_rate=0.1, weight_decay=0.5)
    together = make_optimizer(network, params)
    assert isinstance(together, Together)
    muon, adamw = together.param_groups
    names = {weight: name for name, weight in network.named_parameters()}
    by_adamw = {names[weight] for weight in adamw["params"]}
    by_muon = {names[weight] for weight in muon["params"]}
    assert by_adamw | by_muon == set(names.values())
    assert by_adamw == {
        name for weight, name in names.items() if weight.ndim == 1 or name.startswith("head")
    }
    for group in (muon, adamw):
        assert group["lr"] == 0.1
        assert group["weight_decay"] == 0.5


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (16, 16)])
def test_an_orthogonal_matrix_has_the_directions_and_singular_values_near_1(
    shape: tuple[int, int],
) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    found = left.T @ orthogonal(matrix) @ right.T
    expected = [scalar(float(value / values.norm())) for value in values]
    torch.testing.assert_close(found, torch.diag(torch.tensor(expected)), atol=1e-4, rtol=0)
    assert min(expected) > 0.6 and max(expected) < 1.25


def test_a_matrix_of_zeros_stays_one() -> None:
    assert torch.equal(orthogonal(torch.zeros(3, 5)), torch.zeros(3, 5))


def stepped(weight: Tensor, gradients: list[Tensor], decay: float = 0.0) -> Tensor:
    kernel = nn.Parameter(weight.clone())
    muon = Muon([kernel], lr=0.5, weight_decay=decay)
    for gradient in gradients:
        kernel.grad = gradient
        muon.step()
    return kernel.detach()


def test_a_step_by_hand() -> None:
    # A filter of 2 x 1 px and one channel: the row (3, 4), of length 5.
    weight = torch.tensor([1.0, -1.0]).view(1, 1, 2, 1)
    gradient = torch.tensor([3.0, 4.0]).view(1, 1, 2, 1)
    length = 0.5 * 0.2 * math.sqrt(2) * scalar(1.0)
    expected = torch.tensor([1 - 0.6 * length, -1 - 0.8 * length])
    torch.testing.assert_close(stepped(weight, [gradient]).flatten(), expected)
    # Decay takes a part of the weight, learning rate times decay, whatever the gradient.
    decayed = expected - 0.5 * 0.25 * weight.flatten()
    torch.testing.assert_close(stepped(weight, [gradient], decay=0.25).flatten(), decayed)


def test_a_step_goes_along_gradient_and_momentum() -> None:
    weight = torch.zeros(1, 1, 2, 1)
    first, second = (torch.tensor(row).view(1, 1, 2, 1) for row in ([1.0, 0.0], [0.0, 1.0]))
    # Momentum: 0.05 of the first, then 0.0475 of it and 0.05 of the second; look ahead: 0.95 of
    # that and 0.05 of the gradient, 0.045125 and 0.0975.
    move = torch.tensor([0.045125, 0.0975])
    length = 0.5 * 0.2 * math.sqrt(2) * scalar(1.0)
    expected = -length * (torch.tensor([1.0, 0.0]) + move / move.norm())
    torch.testing.assert_close(stepped(weight, [first, second]).flatten(), expected)


def test_a_kernel_without_gradient_stays() -> None:
    kernel = nn.Parameter(torch.ones(2, 2))
    Muon([kernel], lr=0.5, weight_decay=0.5).step()
    assert torch.equal(kernel, torch.ones(2, 2))


def test_steps_are_those_of_torch_up_to_its_bfloat16() -> None:
    draw = torch.Generator().manual_seed(4)
    start = torch.randn(8, 24, generator=draw)
    gradients = [torch.randn(8, 24, generator=draw) for _ in range(3)]
    theirs = nn.Parameter(start.clone())
    reference = torch.optim.Muon(
        [theirs], lr=0.5, weight_decay=0.25, adjust_lr_fn="match_rms_adamw"
    )
    for gradient in gradients:
        theirs.grad = gradient
        reference.step()
    ours = stepped(start, gradients, decay=0.25)
    moved = (theirs.detach() - start).norm()
    assert float((ours - theirs.detach()).norm() / moved) < 0.01
