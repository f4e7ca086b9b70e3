"""Starts a Functions host as a process of its own, and ends it, kindly or not."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from simulator.functions_host.configuration import Keys

_ROOT = Path(__file__).resolve().parents[2]
_POLL_S = 0.02


class HostDiedError(Exception):
    """The host ended, or did not come up in time; the text holds the end of its output."""


class FunctionsHost:
    """One instance of an app.

    The output goes to a file, never through a pipe, so it cannot block the process. The process
    dies with its parent. A host may be started again after it ended.
    """

    interpreter: tuple[str, ...] = (sys.executable,)
    home: Path = _ROOT
    """Where the process finds the host's own code, and nothing of the app."""

    def __init__(
        self,
        app_dir: Path,
        *,
        log_path: Path,
        port: int = 0,
        env: Mapping[str, str] | None = None,
        keys: Keys | None = None,
        arguments: tuple[str, ...] = (),
    ) -> None:
        """Describe the instance; nothing is started.

        Args:
            app_dir: The folder of ``function_app.py``.
            log_path: Where standard output and error go; appended to.
            port: 0 takes a free one, anew at every start.
            env: Set in addition to this process's environment.
            keys: Keys to enforce.
            arguments: More options for ``python -m simulator.functions_host``.
        """
        self._app_dir = app_dir
        self._log_path = log_path
        self._port = port
        self._env = dict(env or {})
        self._keys = keys or Keys()
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._output_from = 0
        self._url: str | None = None

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT`` of the last start, without a slash at the end."""
        if self._url is None:
            raise RuntimeError("the host has not been started")
        return self._url

    @property
    def pid(self) -> int:
        """The process id of the last start."""
        if self._process is None:
            raise RuntimeError("the host has not been started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How the process ended; negative for a signal, None while it runs."""
        return self._process.poll() if self._process else None

    def output(self) -> str:
        """What the host has written since the last start."""
        if not self._log_path.exists():
            return ""
        with self._log_path.open("rb") as log:
            log.seek(self._output_from)
            return log.read().decode(errors="replace")

    async def start(self, timeout_s: float = 30.0) -> None:
        """Start the process and wait until it listens.

        Raises:
            HostDiedError: It ended, or *timeout_s* passed; it is gone then.
        """
        if self.is_running:
            raise RuntimeError("the host is running already")
        self._spawn()
        deadline = time.monotonic() + timeout_s
        try:
            while (url := self._announced_url()) is None:
                if not self.is_running or time.monotonic() > deadline:
                    tail = self.output()[-4000:]
                    raise HostDiedError(f"the host did not come up (code {self.exit_code})\n{tail}")
                await asyncio.sleep(_POLL_S)
        except BaseException:
            self.kill()
            raise
        self._url = url

    def kill(self) -> None:
        """End the process at once, as the platform does: SIGKILL. Nothing happens twice."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(timeout=10)
        self._close_pipe()

    async def stop(self, timeout_s: float = 15.0) -> None:
        """Ask the process to end (SIGTERM) and wait; past *timeout_s* it is killed."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, timeout_s)
        finally:
            self.kill()

    def _spawn(self) -> None:
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as log:
            self._output_from = log.tell()
            self._process = subprocess.Popen(
                self._command(),
                cwd=self.home,
                env={**_inherited(), **self._env, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _command(self) -> list[str]:
        command = [*self.interpreter, "-m", "simulator.functions_host", "--ends-with-stdin"]
        command += ["--app", str(self._app_dir.resolve()), "--port", str(self._port)]
        for name in ("function", "system", "master"):
            if key := getattr(self._keys, name):
                command += [f"--{name}-key", key]
        return [*command, *self._arguments]

    def _announced_url(self) -> str | None:
        for line in self.output().splitlines():
            if line.startswith("listening http"):
                return line.removeprefix("listening ").strip()
        return None

    def _close_pipe(self) -> None:
        if self._process and self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()


def _inherited() -> dict[str, str]:
    return dict(os.environ)  # noqa: TID251 - the child starts from what this process has
