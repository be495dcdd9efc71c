import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from checkpoints import checkpoint_of, trained_network
from partialseg.engine.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from partialseg.tiling.patches import Imagery
from small_run import record


def without_weights(checkpoint: Checkpoint) -> dict[str, Any]:
    return {name: value for name, value in vars(checkpoint).items() if name != "weights"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "run" / "best.pt"
    save_checkpoint(checkpoint_of(trained_network()), file)
    return file


@pytest.mark.parametrize("class_weights", [[0.5, 1.25, 1 / 3], None])
def test_a_checkpoint_returns_as_it_was(tmp_path: Path, class_weights: list[float] | None) -> None:
    imagery = Imagery(bands=(3, 2, 1), stretch=((0.0, 4095.0), (1.0, 9.0), (2.0, 7.0)))
    saved = checkpoint_of(trained_network(), class_weights=class_weights, imagery=imagery)
    save_checkpoint(saved, tmp_path / "best.pt")
    loaded = load_checkpoint(tmp_path / "best.pt")
    assert without_weights(loaded) == without_weights(saved)
    assert loaded.history == [record(1), record(2)]
    assert loaded.weights.keys() == saved.weights.keys()
    assert all(torch.equal(loaded.weights[name], saved.weights[name]) for name in saved.weights)


def test_the_epoch_is_the_last_of_the_history(file: Path) -> None:
    assert load_checkpoint(file).epoch == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "deep_supervision"),
    [("unet", False), ("unetplusplus", False), ("unetplusplus", True)],
)
def test_the_built_network_gives_the_same_logits(
    tmp_path: Path, architecture: str, deep_supervision: bool
) -> None:
    network = trained_network(architecture, deep_supervision)
    checkpoint = checkpoint_of(
        network, architecture=architecture, deep_supervision=deep_supervision
    )
    save_checkpoint(checkpoint, tmp_path / "best.pt")
    built = load_checkpoint(tmp_path / "best.pt").build()
    images = torch.randn(2, 3, 32, 48)
    assert not built.training
    with torch.no_grad():
        assert torch.equal(built(images), network.eval()(images))


def test_later_training_does_not_change_a_saved_checkpoint(tmp_path: Path) -> None:
    network = trained_network()
    before = network.head.weight.detach().clone()
    save_checkpoint(checkpoint_of(network), tmp_path / "best.pt")
    nn.init.zeros_(network.head.weight)
    assert torch.equal(load_checkpoint(tmp_path / "best.pt").weights["head.weight"], before)


def test_the_file_holds_plain_types_alone(file: Path) -> None:
    content = torch.load(file, weights_only=True)
    assert type(content) is dict
    assert content["history"][1] == vars(record(2))
    assert type(content["weights"]) is dict
    assert all(type(value) is torch.Tensor for value in content["weights"].values())


def test_a_failed_write_leaves_the_earlier_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def fill_the_disk(part: Path, content: bytes) -> None:
        part.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(checkpoint_of(trained_network()), file)
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == ["best.pt"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"none\.pt: missing or damaged checkpoint: .*No such file"
    ):
        load_checkpoint(tmp_path / "none.pt")
    with pytest.raises(ValueError, match=r"missing or damaged checkpoint: .*directory"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"best\.pt: missing or damaged checkpoint"):
        load_checkpoint(file)


@pytest.mark.parametrize("content", [b"no checkpoint", b"\x80\x02garbage", bytes(1000)])
def test_a_file_of_something_else_is_named(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"best\.pt: missing or damaged checkpoint"):
        load_checkpoint(file)


def test_a_file_with_broken_text_is_named(file: Path) -> None:
    content = file.read_bytes()
    assert b"class_names" in content
    file.write_bytes(content.replace(b"class_names", b"\xff" * 11))
    with pytest.raises(ValueError, match=r"best\.pt: missing or damaged checkpoint"):
        load_checkpoint(file)


@pytest.mark.parametrize(
    "content",
    [
        trained_network().state_dict(),
        torch.zeros(3),
        [1, 2],
        {"history": [{"epoch": 1}]},
        {"history": 3},
        {"history": [], "weights": {}},
        {"history": [], "extra": 1},
    ],
)
def test_a_torch_file_of_something_else_is_named(file: Path, content: object) -> None:
    torch.save(content, file)
    with pytest.raises(ValueError, match=r"best\.pt: no checkpoint of this project"):
        load_checkpoint(file)


class Intruder:
    """Makes a folder when it is unpickled without restrictions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_no_code_of_a_file_is_run(file: Path, tmp_path: Path) -> None:
    torch.save({"history": [], "weights": Intruder(tmp_path / "made")}, file)
    with pytest.raises(ValueError, match=r"best\.pt: missing or damaged checkpoint"):
        load_checkpoint(file)
    assert not (tmp_path / "made").exists()
    torch.load(file, weights_only=False)
    assert (tmp_path / "made").exists()
