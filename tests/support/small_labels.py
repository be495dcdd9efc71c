"""Ways to label the small patches of the tests."""

from partialseg.labelling.params import Label, Pattern


def label_params(pattern: Pattern = "random", **changes: int) -> Label:
    """Return parameters that fit patches of 32 px."""
    small = {"points": 20, "thickness": 2, "box": 8, "block": 8}
    return Label(pattern=pattern, **small | changes)
