"""The command line of the Functions host: one process, one instance."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from simulator.functions_host.app import host_app
from simulator.functions_host.configuration import (
    Keys,
    apply_local_settings,
    read_host_json,
    thread_count,
)
from simulator.functions_host.invocation import Invoker
from simulator.functions_host.server import HostServer
from simulator.functions_host.telemetry import configure_telemetry

TERMINATED = 143
"""The exit code of a process that SIGTERM ended."""


class FactsFormatter(logging.Formatter):
    """Prints what a log call gave as ``extra``, which the worker's own log stream loses."""

    _STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        """One line, then the facts as ``name=value``."""
        facts = [f"{k}={v}" for k, v in record.__dict__.items() if k not in self._STANDARD]
        return " ".join([super().format(record), *facts])


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line, read."""

    app_dir: Path
    host: str
    port: int
    keys: Keys
    settings: Path | None
    max_timeout_s: float
    drain_s: float
    ends_with_stdin: bool


def read_options(arguments: list[str] | None = None) -> Options:
    """Read the command line; a wrong one ends the process with code 2."""
    parser = argparse.ArgumentParser(prog="python -m simulator.functions_host")
    parser.add_argument("--app", type=Path, required=True, help="folder of function_app.py")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7071, help="0 takes a free one")
    parser.add_argument("--function-key", help="enforced only where it is given; so are the others")
    parser.add_argument("--system-key")
    parser.add_argument("--master-key")
    parser.add_argument("--settings", type=Path, help="a local.settings.json")
    parser.add_argument("--max-timeout-s", type=float, default=float("inf"), help="caps host.json")
    parser.add_argument("--drain-s", type=float, default=10.0, help="how long SIGTERM may take")
    parser.add_argument("--ends-with-stdin", action="store_true", help="die with the parent")
    given = parser.parse_args(arguments)
    return Options(
        app_dir=given.app.resolve(),
        host=given.host,
        port=given.port,
        keys=Keys(function=given.function_key, system=given.system_key, master=given.master_key),
        settings=given.settings.resolve() if given.settings else None,
        max_timeout_s=given.max_timeout_s,
        drain_s=given.drain_s,
        ends_with_stdin=given.ends_with_stdin,
    )


async def serve(options: Options) -> None:
    """Load the app inside this loop, then listen until the process ends."""
    host_json = read_host_json(options.app_dir)
    timeout_s = min(host_json.function_timeout_s, options.max_timeout_s)
    telemetry = configure_telemetry()  # before the app is loaded, as in the worker
    invoker = Invoker(threads=thread_count(), timeout_s=timeout_s, telemetry=telemetry)
    hosted = host_app(options.app_dir, host_json, invoker)
    server = HostServer(hosted, host_json, options.keys, invoker)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=options.drain_s)
    await runner.setup()
    site = web.TCPSite(runner, options.host, options.port)
    await site.start()
    _end_on_sigterm(runner, invoker, options.drain_s)
    if options.ends_with_stdin:
        _end_with_stdin()
    server.start_background()
    host, port = runner.addresses[0][:2]
    sys.stdout.write(f"listening http://{host}:{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def _end_on_sigterm(runner: web.AppRunner, invoker: Invoker, drain_s: float) -> None:
    """Stop accepting, let executions end for a while, then die: no atexit, finally or flush.

    An app that has taken SIGTERM for itself keeps it.
    """
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return
    endings: set[asyncio.Task[None]] = set()

    async def end() -> None:
        try:
            async with asyncio.timeout(drain_s):
                await runner.cleanup()
                await invoker.idle()
        finally:
            os._exit(TERMINATED)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: endings.add(asyncio.create_task(end())))


def _end_with_stdin() -> None:
    """Die when the parent does: its end of the pipe closes, also when it is killed."""
    stdin = sys.stdin.fileno()

    def read() -> None:
        if not os.read(stdin, 1024):
            os._exit(1)

    asyncio.get_running_loop().add_reader(stdin, read)


def main() -> None:
    """Run the host until it is stopped."""
    options = read_options()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FactsFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    # Like the worker: the root logger has a handler before the app is there, at INFO.
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    if options.settings:
        apply_local_settings(options.settings)
    os.chdir(options.app_dir)
    try:
        asyncio.run(serve(options))
    except KeyboardInterrupt:
        os._exit(130)


if __name__ == "__main__":
    main()
