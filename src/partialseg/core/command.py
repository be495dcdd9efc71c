"""What the main() functions of all stages share."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from multiprocessing.process import BaseProcess
from typing import NoReturn

PATIENCE = 60.0  # seconds that a signal leaves a command to end by itself


def run(main: Callable[[], None]) -> None:
    """Run a stage; an error that its user can mend becomes one line on stderr and exit status 1.

    Those are ValueError (bad input) and OSError (missing file, full disk); any other exception is
    a defect of the program and keeps its traceback. SIGTERM ends the stage like Ctrl-C, so that no
    half-written file stays behind; PATIENCE seconds after either, it ends wherever Python is.
    """
    workers = set(multiprocessing.active_children())  # of whoever calls this
    before = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        main()
    except (ValueError, OSError) as error:
        message = " ".join(str(error).split())
        print(f"error: {message}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        _end(signal.SIGINT, "interrupted")
    except _Terminated:
        _end(signal.SIGTERM, "terminated")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)  # of a signal whose exception was lost
        # One that something still holds would be asked to end, and waited for, which it ignores.
        _kill_workers(workers)
        for number, handler in before.items():
            signal.signal(number, handler)


class _Terminated(SystemExit):
    """What SIGTERM raises."""


def _stop(number: int, _: object) -> None:
    # The exception is lost where there is nobody to raise it to, as in __del__.
    signal.signal(signal.SIGALRM, lambda *_: _end(number, f"not ended after {PATIENCE:g} s"))
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    _kill_workers()
    raise KeyboardInterrupt if number == signal.SIGINT else _Terminated(128 + number)


def _end(number: int, last_words: str) -> NoReturn:
    """End this process as a signal does, without what Python does at its end.

    That waits for the locks of queues to the workers, one of which the signal may leave taken.
    """
    for another in (signal.SIGINT, signal.SIGTERM):
        signal.signal(another, signal.SIG_IGN)
    with suppress(OSError):  # a pipe that nobody reads any more
        sys.stdout.flush()
    with suppress(OSError):
        print(last_words, file=sys.stderr, flush=True)
    os._exit(128 + number)  # as shells name it


def _kill_workers(spared: Collection[BaseProcess] = ()) -> None:
    """End the processes that load patches before anything is unwound.

    They ignore signals and leave them to this process. A worker that is stuck, for instance in a
    lock that was held when it was forked, would be waited for forever; and one whose connection
    breaks while it hands over a patch prints a long traceback.
    """
    workers = set(multiprocessing.active_children()).difference(spared)
    if workers:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler would report a crash
    for worker in workers:
        worker.kill()
