import os
import signal

import pytest

from partialseg.command import run


@pytest.mark.parametrize("error", [ValueError("a\n  b"), OSError(28, "No space left", "x.npy")])
def test_a_user_error_is_one_line_and_status_1(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as stop:
        run(main)
    expected = "a b" if isinstance(error, ValueError) else "[Errno 28] No space left: 'x.npy'"
    assert stop.value.code == 1
    assert capsys.readouterr().err == f"error: {expected}\n"


def test_a_defect_keeps_its_traceback() -> None:
    def main() -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        run(main)


def test_an_interruption_is_one_line_and_status_130(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        run(main)
    assert (stop.value.code, capsys.readouterr().err) == (130, "interrupted\n")


def test_sigterm_is_one_line_and_status_143(capsys: pytest.CaptureFixture[str]) -> None:
    cleaned = []

    def main() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            cleaned.append(True)

    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as stop:
            run(main)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (stop.value.code, capsys.readouterr().err) == (143, "terminated\n")
    assert cleaned == [True]
