"""What the main() functions of all stages share."""

import multiprocessing
import signal
import sys
from collections.abc import Callable


def run(main: Callable[[], None]) -> None:
    """Run a stage: what its user did wrong becomes one line on stderr and exit status 1.

    ValueError (bad input) and OSError (missing file, full disk) are the user's; anything else is
    a defect of ours and keeps its traceback. SIGTERM ends it like Ctrl-C, so that nothing
    half-written stays behind.
    """
    before = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        main()
    except (ValueError, OSError) as error:
        message = " ".join(str(error).split())
        print(f"error: {message}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None  # 128 + SIGINT, as shells have it
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _: object) -> None:
    _kill_workers()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    print("terminated", file=sys.stderr)
    raise SystemExit(143)  # 128 + SIGTERM


def _kill_workers() -> None:
    """End the processes that load patches before anything is unwound.

    They leave signals to this process, so that one that is stuck (in a lock that was held as it
    was forked, say) would be waited for without end; and one whose connection breaks while it
    hands over a patch says so at length.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler takes their end for a crash
    for worker in multiprocessing.active_children():
        worker.kill()
