"""The embedded synthetic data set, in the layout of the LandCover.ai archive."""

from pathlib import Path

from pydantic import NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from partialseg.atomic import new_folder
from partialseg.datasets.sample.write import write_sample
from partialseg.legend import LANDCOVER_AI
from partialseg.params import STRICT, Share
from partialseg.source import write_index


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Download:
    """What is rendered: sides of orthophotos and cells in pixels, shares of the lists."""

    seed: NonNegativeInt
    orthophotos: PositiveInt
    min_side: PositiveInt
    max_side: PositiveInt
    cell: PositiveInt
    val_share: Share
    test_share: Share


def download(params: Download, out: Path) -> None:
    """Render the synthetic orthophotos into `out` and index them.

    Raises:
        ValueError: the parameters contradict each other.
    """
    with new_folder(out) as folder:
        write_sample(
            folder,
            seed=params.seed,
            orthophotos=params.orthophotos,
            min_side=params.min_side,
            max_side=params.max_side,
            cell=params.cell,
            val_share=params.val_share,
            test_share=params.test_share,
        )
        write_index(folder, folder / "images", folder / "masks", LANDCOVER_AI)
