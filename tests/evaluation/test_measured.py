import pytest

from partialseg.evaluation.results import is_measured


@pytest.mark.parametrize(
    ("key", "measured"),
    [
        ("train_seconds", True),
        ("unet.tuned.train_seconds", True),
        ("peak_memory_mib", True),
        ("annotation_seconds", False),
        ("train_seconds.unet", False),
        ("test_miou", False),
    ],
)
def test_time_and_memory_of_a_training_are_measured(key: str, measured: bool) -> None:
    assert is_measured(key) == measured
