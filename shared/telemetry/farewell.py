"""The platform's last word: what was measured is sent before the process goes."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

FLUSH_S = 1.5
"""The platform kills a process a few seconds after it has asked it to end."""


def flush_on_sigterm(flush: Callable[[], object], *, within_s: float = FLUSH_S) -> bool:
    """Let *flush* run when the process is asked to end; then whoever was asked before is asked.

    Only the main thread may listen to signals, and only what Python installed can be called after
    us: else nothing is changed.

    Returns:
        Whether *flush* will run.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    before = signal.getsignal(signal.SIGTERM)
    if before is None:
        return False

    def handle(number: int, frame: FrameType | None) -> None:
        sending = threading.Thread(target=flush, name="telemetry-farewell", daemon=True)
        sending.start()
        sending.join(within_s)  # no exporter keeps to a deadline of its own
        if callable(before):
            before(number, frame)
        elif before == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, handle)
    return True
