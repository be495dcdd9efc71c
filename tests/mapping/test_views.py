import pytest
import torch
from torch import Tensor

from mapping_models import Brightness, info, network_model
from partialseg.mapping.model import VIEWS, Averaged, ModelInfo, Views


class Seen:
    """A model of pixels that notes what it was asked."""

    tile: int | None = None
    runtime = "arithmetic"
    on_gpu = False

    info: ModelInfo = info()

    def __init__(self) -> None:
        self.images: list[Tensor] = []

    def probabilities(self, images: Tensor) -> Tensor:
        self.images.append(images)
        return Brightness().probabilities(images)


def images(height: int = 32, width: int = 48) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(256, (2, 3, height, width), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize(("views", "count"), [("none", 1), ("flips", 4), ("all", 8)])
def test_each_view_is_another_one_and_comes_back_in_place(views: Views, count: int) -> None:
    seen = Seen()
    asked = images()
    predicted = Averaged(seen, views).probabilities(asked)
    assert torch.allclose(predicted, Brightness().probabilities(asked), atol=1e-6)
    assert len({(item.shape, item.numpy().tobytes()) for item in seen.images}) == count
    assert torch.equal(seen.images[0], asked)


def test_flips_keep_the_shape_and_all_has_the_quarter_turns() -> None:
    seen = Seen()
    Averaged(seen, "all").probabilities(images())
    assert sorted(tuple(item.shape[-2:]) for item in seen.images) == [(32, 48)] * 4 + [(48, 32)] * 4


@pytest.mark.slow
@pytest.mark.parametrize("views", ["flips", "all"])
def test_the_mean_of_all_views_is_the_same_for_a_mirrored_image(views: Views) -> None:
    model = Averaged(network_model(), views)
    asked = images()
    mirrored = model.probabilities(asked.flip(-1)).flip(-1)
    assert torch.allclose(mirrored, model.probabilities(asked), atol=1e-5)
    alone = Averaged(model.model, "none")
    assert not torch.allclose(
        alone.probabilities(asked.flip(-1)).flip(-1), alone.probabilities(asked), atol=1e-3
    )


def test_the_views_are_those_of_a_square() -> None:
    assert len(set(VIEWS["all"])) == 8
    assert set(VIEWS["flips"]) <= set(VIEWS["all"])
