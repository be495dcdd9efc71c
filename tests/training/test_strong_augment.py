import pytest
import torch
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from partialseg.training.methods.strong_views import REACH, blur, jitter, strong_augment


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int, height: int, width: int, low: int = 0, high: int = 256) -> Tensor:
    return torch.randint(
        low, high, (count, 3, height, width), dtype=torch.uint8, generator=seeded(1)
    )


def flat(count: int, colour: tuple[int, int, int]) -> Tensor:
    """Return images (count, 3, 2, 2) of one colour."""
    rgb = torch.tensor(colour, dtype=torch.uint8)
    return rgb[None, :, None, None].expand(count, 3, 2, 2)


def jittered(image: Tensor, **changes: float) -> Tensor:
    """Return an image (3, H, W) with the changes, and no others."""
    values = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0} | changes
    wanted = {name: torch.tensor([value], dtype=torch.float64) for name, value in values.items()}
    return jitter(image[None], **wanted)[0]


def luma_of(image: Tensor) -> Tensor:
    return 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]


TWO = torch.tensor([[10, 200], [20, 100], [40, 50]], dtype=torch.uint8)[:, None, :]  # (3, 1, 2)
LUMA = (19.29, 124.2)  # of its pixels: 2.99 + 11.74 + 4.56, and 59.8 + 58.7 + 5.7


def test_nothing_is_changed_by_factors_of_one() -> None:
    image = noise(1, 9, 7)[0]
    torch.testing.assert_close(jittered(image), image.float(), rtol=0, atol=1e-3)


def test_brightness_is_a_factor_and_is_clipped() -> None:
    expected = torch.tensor([[15.0, 255.0], [30.0, 150.0], [60.0, 75.0]])[:, None, :]
    torch.testing.assert_close(jittered(TWO, brightness=1.5), expected, rtol=0, atol=1e-3)


def test_contrast_is_a_factor_of_the_distance_to_the_mean_luma() -> None:
    mean = sum(LUMA) / 2
    expected = mean + 0.5 * (TWO.float() - mean)
    torch.testing.assert_close(jittered(TWO, contrast=0.5), expected, rtol=0, atol=1e-3)


def test_saturation_is_a_factor_of_the_distance_to_the_luma_of_the_pixel() -> None:
    expected = 0.5 * TWO.float() + 0.5 * torch.tensor(LUMA)
    torch.testing.assert_close(jittered(TWO, saturation=0.5), expected, rtol=0, atol=1e-3)


def test_without_saturation_the_luma_is_left() -> None:
    expected = torch.tensor(LUMA).expand(3, 1, 2)
    torch.testing.assert_close(jittered(TWO, saturation=0.0), expected, rtol=0, atol=1e-3)


def test_half_a_turn_of_hue_is_the_opposite_colour_of_equal_luma() -> None:
    image = torch.tensor([120, 100, 90], dtype=torch.uint8)[:, None, None]
    luma = 35.88 + 58.7 + 10.26
    expected = 2 * luma - image.float()
    torch.testing.assert_close(jittered(image, hue=0.5), expected, rtol=0, atol=1e-3)


def test_turns_of_hue_keep_the_luma_and_add_up() -> None:
    image = noise(1, 6, 5, low=110, high=146)[0]  # no turn takes these out of 0..255
    eighth = jittered(image, hue=0.125)
    assert (eighth - image).abs().amax() > 5
    torch.testing.assert_close(luma_of(eighth), luma_of(image), rtol=0, atol=1e-2)
    twice = jittered(eighth, hue=0.125)
    torch.testing.assert_close(twice, jittered(image, hue=0.25), rtol=0, atol=1e-2)
    torch.testing.assert_close(jittered(twice, hue=-0.25), image.float(), rtol=0, atol=1e-2)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
@pytest.mark.parametrize("factor", [0.5, 0.8, 1.3])
def test_factors_are_those_of_pillow(name: str, factor: float) -> None:
    image = noise(1, 11, 8, low=80, high=180)[0]
    pixels = Image.fromarray(image.movedim(0, -1).numpy())
    kind = {
        "brightness": ImageEnhance.Brightness,
        "contrast": ImageEnhance.Contrast,
        "saturation": ImageEnhance.Color,
    }[name]
    expected = torch.tensor([*kind(pixels).enhance(factor).tobytes()]).view(11, 8, 3).movedim(-1, 0)
    off = (jittered(image, **{name: factor}) - expected).abs().amax()
    assert off <= 1.5  # Pillow rounds between


def test_each_image_has_values_of_its_own() -> None:
    images = noise(2, 4, 4)
    both = [torch.tensor(pair, dtype=torch.float64) for pair in ((0.5, 1.2), (1.1, 0.7))]
    both += [torch.tensor(pair, dtype=torch.float64) for pair in ((1.0, 0.3), (0.1, -0.2))]
    names = ("brightness", "contrast", "saturation", "hue")
    apart = [
        jittered(
            image, **{name: float(pair[place]) for name, pair in zip(names, both, strict=True)}
        )
        for place, image in enumerate(images)
    ]
    torch.testing.assert_close(jitter(images, *both), torch.stack(apart), rtol=0, atol=1e-3)


@pytest.mark.parametrize("size", [(17, 23), (1, 1), (3, 40)])
def test_the_blur_is_that_of_scipy(size: tuple[int, int]) -> None:
    images, sigmas = noise(3, *size).float(), torch.tensor([0.1, 0.9, 2.0])
    blurred = blur(images, sigmas)
    assert blurred.dtype == torch.float32
    for image, sigma, result in zip(images.double().numpy(), sigmas, blurred, strict=True):
        expected = image
        for axis in (1, 2):
            expected = gaussian_filter1d(expected, float(sigma), axis, mode="nearest", radius=REACH)
        torch.testing.assert_close(result.double(), torch.from_numpy(expected), rtol=0, atol=1e-3)


@pytest.mark.parametrize("size", [(16, 16), (21, 35), (1, 1)])
@pytest.mark.parametrize("count", [1, 3])
def test_shape_and_type_stay_and_the_given_images_too(size: tuple[int, int], count: int) -> None:
    images = noise(count, *size)
    before = images.clone()
    strong = strong_augment(images, seeded(3))
    assert strong.shape == images.shape and strong.dtype == torch.uint8
    assert torch.equal(images, before)
    assert not torch.equal(strong, images)


def test_equal_seeds_give_equal_bits_whatever_other_draws_were_made() -> None:
    images = noise(4, 20, 20)
    first = strong_augment(images, seeded(5))
    torch.manual_seed(0)
    torch.rand(3)
    assert torch.equal(strong_augment(images, seeded(5)), first)
    assert not torch.equal(strong_augment(images, seeded(6)), first)


def test_no_other_generator_is_drawn_from() -> None:
    before = torch.get_rng_state()
    strong_augment(noise(4, 20, 20), seeded(5))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_generator_goes_on_from_one_call_to_the_next() -> None:
    images, generator = noise(4, 20, 20), seeded(5)
    assert not torch.equal(strong_augment(images, generator), strong_augment(images, generator))


def test_an_image_is_augmented_the_same_whatever_follows_it() -> None:
    images = noise(6, 20, 20)
    together = strong_augment(images, seeded(7))
    off = strong_augment(images[:2], seeded(7)).int() - together[:2].int()
    assert off.abs().max() <= 1  # another batch may be added up in another order
    same = images[:1].expand(6, -1, -1, -1)
    views = strong_augment(same, seeded(7))
    assert len({view.numpy().tobytes() for view in views}) == 6


def test_autocast_changes_nothing() -> None:
    images = noise(4, 20, 20)
    expected = strong_augment(images, seeded(8))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(strong_augment(images, seeded(8)), expected)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 30, 90)])
def test_a_constant_image_stays_constant(colour: tuple[int, int, int]) -> None:
    strong = strong_augment(flat(50, colour).repeat(1, 1, 5, 6), seeded(9))
    assert torch.equal(strong, strong[:, :, :1, :1].expand_as(strong))


def test_no_pixel_moves() -> None:
    """A dark cross with one arm longer: its mirrored images are augmented to mirrored ones."""
    images = torch.full((40, 3, 24, 31), 200, dtype=torch.uint8)
    images[:, :, 10, 5:20] = 20
    images[:, :, 4:14, 8] = 20
    strong = strong_augment(images, seeded(10)).int()
    for dims in ([2], [3], [2, 3]):
        mirrored = strong_augment(images.flip(dims), seeded(10)).int().flip(dims)
        assert (mirrored - strong).abs().max() <= 1
    darkest = luma_of(strong.movedim(1, 0).float()).flatten(1).argmin(dim=1)
    where = torch.stack([darkest // 31, darkest % 31], dim=1)
    assert (images[0, 0][where[:, 0], where[:, 1]] == 20).all()


def test_grey_takes_a_fifth_and_a_sixth_is_left_as_it_is() -> None:
    colour = (200, 30, 90)
    strong = strong_augment(flat(4000, colour), seeded(11))[:, :, 0, 0].int()
    grey = (strong == strong[:, :1]).all(dim=1)
    assert grey.double().mean() == pytest.approx(0.2, abs=5 * 0.0063)
    same = (strong == torch.tensor(colour)).all(dim=1)
    # Neither jitter nor grey (a blur leaves a constant image): 0.2 x 0.8.
    assert same.double().mean() == pytest.approx(0.16, abs=5 * 0.0058)


def test_the_brightness_is_drawn_from_a_half_to_one_and_a_half() -> None:
    # All else leaves a grey image as it is.
    grey = strong_augment(flat(4000, (100, 100, 100)), seeded(12))[:, 0, 0, 0].double()
    assert 50 <= grey.min() < 51 and 149 < grey.max() <= 150
    assert grey.mean() == pytest.approx(100, abs=2)
    assert (grey < 75).double().mean() == pytest.approx(0.8 / 4, abs=0.03)


def test_just_under_half_of_the_images_are_visibly_blurred() -> None:
    images = torch.full((2000, 3, 3, 16), 100, dtype=torch.uint8)
    images[..., 8:] = 50
    strong = strong_augment(images, seeded(13))[:, 0, 1]
    levels = torch.tensor([len(row.unique()) for row in strong])
    # A sigma up to 0.3 px (a tenth of the draws) does not reach the next pixel.
    assert (levels > 2).double().mean() == pytest.approx(0.45, abs=0.05)


def test_values_stay_within_a_byte() -> None:
    """Black and white stripes: a value that wrapped around would be far from both neighbours."""
    images = torch.zeros(200, 3, 2, 32, dtype=torch.uint8)
    images[..., 16:] = 255
    strong = strong_augment(images, seeded(14))[:, 0, 0].int()
    assert (strong.diff(dim=1) >= 0).all()
    assert strong.max() == 255 and strong.min() == 0
