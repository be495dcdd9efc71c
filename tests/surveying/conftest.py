"""A function that surveys a folder."""

import shutil
import sys
from pathlib import Path

import pytest

from code_of_stage import SRC
from survey import main


@pytest.fixture
def survey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return a function that surveys a folder, adds the section, and returns what is printed."""
    shutil.copy(SRC.parent / "params.yaml", tmp_path)

    def run(folder: Path, *options: str) -> str:
        params = str(tmp_path / "params.yaml")
        arguments = ["survey.py", str(folder), "--add", "--params", params, *options]
        monkeypatch.setattr(sys, "argv", arguments)
        main()
        return capsys.readouterr().out

    return run
