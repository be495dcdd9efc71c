"""LandCover.ai (Boguszewski et al. 2020, arXiv:2005.02264; licence CC BY-NC-SA 4.0)."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat
from pydantic.dataclasses import dataclass

from partialseg.atomic import new_folder
from partialseg.datasets.landcover_ai.fetch import fetch
from partialseg.datasets.landcover_ai.unpack import unpack
from partialseg.legend import LANDCOVER_AI
from partialseg.params import STRICT
from partialseg.source import write_index


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Download:
    """Where the archive comes from.

    urls are tried in turn: http(s)://, file:// or a path; md5 is that of the archive; archive is
    where it is kept, so that an interrupted transfer goes on; timeout is in seconds.
    """

    urls: Annotated[tuple[str, ...], Field(min_length=1)]
    md5: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    archive: str
    retries: NonNegativeInt
    timeout: PositiveFloat


def download(params: Download, out: Path) -> None:
    """Fetch, verify and unpack the archive into `out` and index it.

    Raises:
        ValueError: no mirror delivered the archive, it is damaged or its content is not usable.
    """
    archive = Path(params.archive)
    fetch(params.urls, params.md5, archive, retries=params.retries, timeout=params.timeout)
    with new_folder(out) as folder:
        unpack(archive, folder)
        write_index(folder, folder / "images", folder / "masks", LANDCOVER_AI)
