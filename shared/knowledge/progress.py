"""How far a long command is: a bar on a terminal, a line now and then in a log."""

from typing import TextIO

_WIDTH = 30


class Progress:
    """Tells of steps done, on *stream*."""

    def __init__(self, stream: TextIO, what: str) -> None:
        self._stream = stream
        self._what = what
        self._is_terminal = stream.isatty()

    def __call__(self, done: int, total: int) -> None:
        """*done* of *total* steps are done."""
        if not total:
            return
        if not self._is_terminal:
            self._stream.write(f"{self._what}: {done} of {total}\n")
        else:
            full = _WIDTH * done // total
            bar = "#" * full + "-" * (_WIDTH - full)
            end = "\n" if done == total else ""
            self._stream.write(f"\r{self._what} [{bar}] {done}/{total}{end}")
        self._stream.flush()
