"""Which training begins first."""

import json
from pathlib import Path

import pytest

from partialseg.cluster.order import longest_first
from partialseg.cluster.stages import Training


def training(name: str, folder: str = "sample/main/random") -> Training:
    return Training(
        stage=name,
        command="",
        dataset="sample",
        recipe="tuned",
        resume=Path("runs/.resume", folder, name),
    )


def names(trainings: list[Training]) -> list[str]:
    return [item.resume.name for item in trainings]


def test_the_longest_begins_first_by_what_earlier_ones_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third seed is taken for the mean of the other two, another network for the longest."""
    monkeypatch.chdir(tmp_path)
    folder = Path("metrics/sample/main/random")
    folder.mkdir(parents=True)
    for name, seconds in (("unet-0.1-tuned-1", 50), ("unet-0.1-tuned-2", 70), ("net-0.1-a-1", 65)):
        (folder / f"{name}.json").write_text(json.dumps({"train_seconds": seconds}))
    (folder / "net-0.1-a-2.json").write_text("{")
    (folder / "net-0.1-a-3.json").write_text("{}")
    asked = [
        training("unet-0.1-tuned-1"),
        training("unet-0.1-tuned-3", "sample/official/points"),
        training("net-0.1-a-1"),
        training("unet-0.1-tuned-2"),
        training("unetplusplus-0.1-tuned-1"),
        training("net-0.1-a-2"),
        training("net-0.1-a-3"),
    ]
    assert names(longest_first(asked)) == [
        "unetplusplus-0.1-tuned-1",
        "unet-0.1-tuned-2",
        "net-0.1-a-1",
        "net-0.1-a-2",
        "net-0.1-a-3",
        "unet-0.1-tuned-3",
        "unet-0.1-tuned-1",
    ]


def test_without_any_metrics_the_order_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = [training(name) for name in ("unet-0.1-tuned-1", "net-0.1-a-1", "unet-0.1-tuned-2")]
    assert longest_first(asked) == asked
