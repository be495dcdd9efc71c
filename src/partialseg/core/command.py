"""What the main() functions of all stages share."""

import multiprocessing
import signal
import sys
from collections.abc import Callable, Collection
from multiprocessing.process import BaseProcess


def run(main: Callable[[], None]) -> None:
    """Run a stage; an error that its user can mend becomes one line on stderr and exit status 1.

    Those are ValueError (bad input) and OSError (missing file, full disk); any other exception is
    a defect of the program and keeps its traceback. SIGTERM ends the stage like Ctrl-C, so that no
    half-written file stays behind.
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
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None  # 128 + SIGINT, as in shells
    finally:
        # One that something still holds would be asked to end, and waited for, which it ignores.
        _kill_workers(workers)
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _: object) -> None:
    _kill_workers()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    print("terminated", file=sys.stderr)
    raise SystemExit(143)  # 128 + SIGTERM


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
