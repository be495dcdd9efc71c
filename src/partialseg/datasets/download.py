"""The stage download: the source of one data set of several, put in place."""

from pathlib import Path

from partialseg.core.params import load_section


def download(dataset: str, params_file: Path, out: Path) -> None:
    """Fetch, render or index the source of a data set into the folder `out`.

    Raises:
        ValueError: the data set is unknown, its parameters are wrong or its files are not usable.
    """
    section = f"datasets.{dataset}.download"
    # A data set's module is imported only when it is asked for: editing one must not make DVC
    # fetch another again (dvc.yaml names the module by the data set).
    match dataset:
        case "sample":
            from partialseg.datasets.sample import download as sample

            sample.download(load_section(params_file, section, sample.Download), out)
        case "landcover_ai":
            from partialseg.datasets.landcover_ai import download as landcover_ai

            landcover_ai.download(load_section(params_file, section, landcover_ai.Download), out)
        case "folder":
            from partialseg.datasets.folder import download as folder

            folder.download(load_section(params_file, section, folder.Download), out)
        case _:
            raise ValueError(f"unknown data set {dataset!r}; known: sample, landcover_ai, folder")
