"""What the main() functions of all stages share."""

import signal
import sys
from collections.abc import Callable


def run(main: Callable[[], None]) -> None:
    """Run a stage: what its user did wrong becomes one line on stderr and exit status 1.

    ValueError (bad input) and OSError (missing file, full disk) are the user's; anything else is
    a defect of ours and keeps its traceback. SIGTERM ends it like Ctrl-C, so that nothing
    half-written stays behind.
    """
    signal.signal(signal.SIGTERM, _stop)
    try:
        main()
    except (ValueError, OSError) as error:
        message = " ".join(str(error).split())
        print(f"error: {message}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None  # 128 + SIGINT, as shells have it


def _stop(*_: object) -> None:
    print("terminated", file=sys.stderr)
    raise SystemExit(143)  # 128 + SIGTERM
