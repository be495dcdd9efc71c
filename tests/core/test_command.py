import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from code_of_stage import SRC
from partialseg.core.command import run


def ended(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, since a signal ends that."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        timeout=60,
    )


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


@pytest.mark.parametrize(
    ("number", "status", "last_words"),
    [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n")],
)
def test_a_signal_cleans_up_and_is_one_line_and_its_status(
    number: signal.Signals, status: int, last_words: str
) -> None:
    program = f"""if True:
        import os
        from partialseg.core.command import run

        def main():
            try:
                os.kill(os.getpid(), {number})
            finally:
                print("cleaned")

        run(main)
    """
    done = ended(program)
    assert (done.returncode, done.stdout, done.stderr) == (status, "cleaned\n", last_words)


@pytest.mark.parametrize(
    ("sent", "status", "last_words"),
    [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n"), (None, 0, "")],
)
def test_a_worker_that_is_stuck_keeps_nobody_waiting(
    sent: signal.Signals | None, status: int, last_words: str
) -> None:
    """multiprocessing ends its daemons by SIGTERM and waits, and the loader's ignore that."""
    program = """if True:
        import multiprocessing, signal, sys, time
        from partialseg.core.command import run

        def work(ready):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            ready.set()
            time.sleep(600)

        def main():
            fork = multiprocessing.get_context("fork")
            ready = fork.Event()
            fork.Process(target=work, args=(ready,), daemon=True).start()
            ready.wait()
            print("ready", flush=True)
            time.sleep(float(sys.argv[1]))

        run(main)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", program, "600" if sent else "0"],
        env=os.environ | {"PYTHONPATH": str(SRC)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    if sent:
        os.killpg(process.pid, sent)
    try:
        # communicate() waits for all that hold the pipes: the worker as well.
        assert process.communicate(timeout=30) == ("", last_words)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == status


def test_workers_of_the_caller_live_on() -> None:
    worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    worker.start()
    try:
        run(lambda: None)
        assert worker.is_alive()
    finally:
        worker.kill()
        worker.join()


@pytest.mark.parametrize(
    ("number", "status", "last_words"),
    [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n")],
)
@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("except BaseException: time.sleep(600)", "not ended after 0.5 s\n"),
        ("finally: lock.acquire()", "{last_words}"),
    ],
    ids=["the exception is lost", "Python's end waits for a lock"],
)
def test_a_signal_ends_a_command_in_any_case(
    number: signal.Signals, status: int, last_words: str, place: str, said: str
) -> None:
    program = f"""if True:
        import multiprocessing, os, time
        import partialseg.core.command as command

        def main():
            queue = multiprocessing.get_context("fork").Queue()
            queue.put("a thread waits for more now")
            lock = queue._notempty
            print("printed before")
            try:
                os.kill(os.getpid(), {number})
                time.sleep(600)
            {place}

        command.PATIENCE = 0.5
        command.run(main)
    """
    done = ended(program)
    expected = said.format(last_words=last_words)
    assert (done.returncode, done.stdout, done.stderr) == (status, "printed before\n", expected)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_make_a_success_of_it(second: signal.Signals) -> None:
    program = f"""if True:
        import os, signal, sys
        from partialseg.core.command import run

        class Stdout:
            def flush(self):
                os.kill(os.getpid(), {second})

        def main():
            sys.stdout = Stdout()
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)

        run(main)
    """
    done = ended(program)
    assert (done.returncode, done.stderr) == (143, "terminated\n")


def test_an_error_that_a_signal_meets_is_no_success() -> None:
    program = """if True:
        import os, signal, sys
        from partialseg.core.command import run

        class Stderr:
            def write(self, text):
                os.kill(os.getpid(), signal.SIGTERM)

            def flush(self): pass

        def main():
            sys.stderr = Stderr()
            raise ValueError("bad input")

        run(main)
    """
    assert ended(program).returncode == 143
