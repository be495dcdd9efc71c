"""The stage download: the source of one data set of several, put in place."""

from pathlib import Path

from partialseg.core.params import load_section
from partialseg.datasets.folder import download as folder
from partialseg.datasets.landcover_ai import download as landcover_ai
from partialseg.datasets.sample import download as sample


def download(dataset: str, params_file: Path, out: Path) -> None:
    """Fetch, render or index the source of a data set into the folder `out`.

    The sample and LandCover.ai have code of their own; a data set of any other name is a folder.

    Raises:
        ValueError: the data set has no section, its parameters are wrong or its files are not
            usable.
    """
    section = f"datasets.{dataset}.download"
    match dataset:
        case "sample":
            sample.download(load_section(params_file, section, sample.Download), out)
        case "landcover_ai":
            landcover_ai.download(load_section(params_file, section, landcover_ai.Download), out)
        case _:
            params = load_section(params_file, section, folder.Download)
            try:
                folder.download(params, out)
            except folder.NoFolderError as error:
                raise ValueError(f"{error} ({section}.path)") from error
