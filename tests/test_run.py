"""What makes a run that run."""

import pytest

from partialseg.run import Run


@pytest.mark.parametrize(
    ("fraction", "folder", "number"),
    [
        ("0.1", "unet-0.1-tuned", 0.1),
        ("0.15", "unet-0.15-tuned", 0.15),
        ("1", "unet-1-tuned", 1.0),  # as DVC writes `label_fraction: 1`
        ("1e-05", "unet-1e-05-tuned", 0.00001),
    ],
)
def test_the_folder_has_the_fraction_as_it_is_spelt(
    fraction: str, folder: str, number: float
) -> None:
    run = Run(architecture="unet", fraction=fraction, recipe="tuned")
    assert (run.folder, run.label_fraction) == (folder, number)


def test_the_identity_has_the_fraction_as_a_number() -> None:
    run = Run(architecture="unetplusplus", fraction="0.10", recipe="reproduction")
    assert [*run.identity().items()] == [
        ("label_fraction", 0.1),
        ("architecture", "unetplusplus"),
        ("recipe", "reproduction"),
    ]


def test_equal_axes_are_the_same_run() -> None:
    runs = [Run(architecture="unet", fraction="0.1", recipe=name) for name in ("a", "a", "b")]
    assert runs[0] == runs[1] != runs[2]
    assert len(set(runs)) == 2
